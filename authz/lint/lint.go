package lint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"sark/authz"
)

// The severities of findings.
const (
	// Error is what must not be served.
	Error = "error"
	// Warning is what is likely to be a mistake, or costs much.
	Warning = "warning"
	// Note is what somebody should look at.
	Note = "note"
)

// Finding is one thing that was found.
type Finding struct {
	// Code names the kind of finding; docs/policy.md lists them.
	Code string `json:"code"`
	// Severity is Error, Warning or Note.
	Severity string `json:"severity"`
	// File and Line say where; empty and 0 when it is about the policy as a whole.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
}

// Options say what is accepted.
type Options struct {
	// Allow names built-in functions that are forbidden otherwise, such as http.send.
	Allow []string
}

// Bundle looks at a policy. The findings are sorted by file and line.
func Bundle(ctx context.Context, b *bundle.Bundle, o Options) []Finding {
	l := &linter{allowed: o.Allow, seen: map[Finding]bool{}}
	for _, m := range b.Modules {
		l.module(m.Parsed)
	}
	l.compile(ctx, b)
	slices.SortStableFunc(l.found, func(x, y Finding) int {
		if n := strings.Compare(x.File, y.File); n != 0 {
			return n
		}
		return x.Line - y.Line
	})
	return l.found
}

// linter collects findings.
type linter struct {
	allowed []string
	found   []Finding
	seen    map[Finding]bool
	pack    string // of the module that it looks at
}

func (l *linter) note(code, severity string, at *ast.Location, format string, a ...any) {
	f := Finding{Code: code, Severity: severity, Message: fmt.Sprintf(format, a...)}
	if at != nil {
		f.File, f.Line = at.File, at.Row
	}
	if !l.seen[f] {
		l.seen[f] = true
		l.found = append(l.found, f)
	}
}

// compile finds what only the compiled policy shows.
func (l *linter) compile(ctx context.Context, b *bundle.Bundle) {
	trial, err := authz.NewTrial(ctx, b, authz.Settings{}, nil)
	var several ast.Errors
	switch {
	case err == nil:
		l.analysis(trial.Analysis())
	case authz.NoEntryPoint(err):
		l.note("NO_ENTRY_POINT", Error, nil, "the policy defines no rule %s, so there is nothing to ask", authz.EntryPoint())
	case errors.As(err, &several):
		for _, e := range several {
			l.note("COMPILE_ERROR", Error, e.Location, "%s: %s", e.Code, e.Message)
		}
	default:
		l.note("COMPILE_ERROR", Error, nil, "%v", err)
	}
}

// module looks at one file.
func (l *linter) module(m *ast.Module) {
	l.pack = m.Package.Path.String()
	for _, c := range m.Comments {
		l.comment(c)
	}
	ast.WalkRules(m, func(r *ast.Rule) bool {
		l.rule(r)
		return false
	})
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() {
			l.call(e.Operator(), e.Operands(), e.Location)
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		l.term(t)
		return false
	})
}

func (l *linter) comment(c *ast.Comment) {
	for _, word := range []string{"TODO", "FIXME", "XXX"} {
		if strings.Contains(string(c.Text), word) {
			l.note("TODO_COMMENT", Note, c.Location, "the comment says %s: something is not finished", word)
		}
	}
}
