package lint

import (
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/authz"
)

// slow says what a decision costs that is not remembered.
const slow = "no decision is remembered: each takes the time of an evaluation, some 50 to 150 µs, instead of 0.2 µs"

// analysis finds what keeps decisions from being remembered, or makes them differ more often than they need to.
func (l *linter) analysis(a authz.Analysis) {
	for _, why := range a.Why {
		at, what := split(why)
		code := "NOT_MEMOISED"
		if strings.HasPrefix(what, "uses ") {
			code = "NONDETERMINISTIC_BUILTIN"
		}
		l.note(code, Warning, at, "it %s, so %s", what, slow)
	}
	for _, path := range []string{"input.tool.parameters", "input.mcp.arguments"} {
		if slices.Contains(a.Reads, path) {
			l.note("WIDE_READ", Warning, nil, "%s is read as a whole: a call with other arguments is another question; name the arguments that matter", path)
		}
	}
	if slices.Contains(a.Reads, "input.time.unix") {
		l.note("WIDE_READ", Warning, nil, "input.time.unix is read: every second asks all questions anew; compare input.time.hour, minute and weekday")
	}
}

// split takes the location off a reason of an analysis.
func split(why string) (*ast.Location, string) {
	place, what, found := strings.Cut(why, ": ")
	colon := strings.LastIndexByte(place, ':')
	if !found || colon < 0 {
		return nil, why
	}
	row, err := strconv.Atoi(place[colon+1:])
	if err != nil {
		return nil, why
	}
	return &ast.Location{File: place[:colon], Row: row}, what
}
