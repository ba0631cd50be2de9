package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"sark/authz"
)

// Explanation is why a policy answered as it did.
type Explanation struct {
	// Decision is the answer.
	Decision authz.Decision
	// Held are the rules that held, and Failed those that did not, each in the order of the source.
	Held, Failed []Rule
}

// Rule is a rule of the policy that a decision may come from: an entry of grant, deny or obligations, or any rule named
// allow, deny or decision.
type Rule struct {
	// Name is the rule as the policy writes it, such as grant["rbac.admin"].
	Name string `json:"name"`
	// File and Line say where it stands.
	File string `json:"file"`
	Line int    `json:"line"`
	// Stopped is the expression that did not hold, as it is written, and StoppedLine where it stands; empty for rules that held.
	Stopped     string `json:"stopped,omitempty"`
	StoppedLine int    `json:"stopped_line,omitempty"`
	// Missing are the parts of the input that the rule reads up to there and that are absent, sorted, such as
	// input.principal.claims.amr.
	Missing []string `json:"missing,omitempty"`
}

// Document explains the decision on an input document.
func Document(ctx context.Context, t *authz.Trial, document []byte) (*Explanation, error) {
	var input any
	if err := json.Unmarshal(document, &input); err != nil {
		return nil, fmt.Errorf("read input document: %w", err)
	}
	seen := newTrace(t.Compiler(), input)
	d, err := t.Decide(ctx, document, rego.EvalQueryTracer(seen), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	if err != nil {
		return nil, err
	}
	e := &Explanation{Decision: d}
	for rule, a := range seen.attempts {
		if !decides(rule) {
			continue
		}
		r := Rule{Name: nameOf(rule), File: rule.Location.File, Line: rule.Location.Row}
		if a.held {
			e.Held = append(e.Held, r)
			continue
		}
		if a.stopped != nil {
			r.Stopped, r.StoppedLine = text(a.stopped), a.stopped.Location.Row
		}
		r.Missing = seen.missing(rule)
		e.Failed = append(e.Failed, r)
	}
	slices.SortFunc(e.Held, bySource)
	slices.SortFunc(e.Failed, bySource)
	return e, nil
}

func bySource(a, b Rule) int {
	if n := strings.Compare(a.File, b.File); n != 0 {
		return n
	}
	return a.Line - b.Line
}

// decides tells whether a decision may come from a rule itself, and not only from what it means to others.
func decides(r *ast.Rule) bool {
	if r.Location == nil || r.Default || len(r.Head.Args) > 0 {
		return false
	}
	switch r.Head.Ref()[0].Value.String() {
	case "allow", "deny", "decision", "grant", "obligations":
		return true
	}
	return false
}

// nameOf is the name of a rule as one writes it.
func nameOf(r *ast.Rule) string { return r.Head.Ref().String() }

// text is the first line of an expression as it was written.
func text(e *ast.Expr) string {
	line, _, more := strings.Cut(string(e.Location.Text), "\n")
	if more {
		line += " ..."
	}
	return strings.TrimSpace(line)
}
