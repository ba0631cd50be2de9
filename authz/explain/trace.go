package explain

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// trace watches an evaluation and keeps of it what became of each rule.
type trace struct {
	compiler *ast.Compiler
	input    any
	attempts map[*ast.Rule]*attempt
	queries  map[uint64]*ast.Rule // the rule that a query evaluates
}

// attempt is what became of one rule, over all of its evaluations.
type attempt struct {
	held    bool
	failed  []*ast.Expr // everything that did not hold
	stopped *ast.Expr   // of that the one that it came to last
}

func newTrace(c *ast.Compiler, input any) *trace {
	return &trace{compiler: c, input: input, attempts: map[*ast.Rule]*attempt{}, queries: map[uint64]*ast.Rule{}}
}

// Enabled implements topdown.QueryTracer.
func (*trace) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (*trace) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (t *trace) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		a := t.attempts[node]
		if a == nil {
			a = &attempt{}
			t.attempts[node] = a
		}
		t.queries[e.QueryID] = node
		a.held = a.held || e.Op == topdown.ExitOp
	case *ast.Expr:
		rule := t.queries[e.QueryID]
		if e.Op != topdown.FailOp || rule == nil || node.Location == nil {
			return
		}
		a := t.attempts[rule]
		if !slices.Contains(a.failed, node) {
			a.failed = append(a.failed, node)
		}
		if a.stopped == nil || node.Index >= a.stopped.Index {
			a.stopped = node
		}
	}
}

// missing returns the parts of the input that are absent where a rule failed, in the rule and in those that it asked.
func (t *trace) missing(rule *ast.Rule) []string {
	found := map[string]bool{}
	t.collect(rule, found, map[*ast.Rule]bool{})
	return slices.Sorted(maps.Keys(found))
}

func (t *trace) collect(rule *ast.Rule, found map[string]bool, seen map[*ast.Rule]bool) {
	a := t.attempts[rule]
	if a == nil || a.held || seen[rule] {
		return
	}
	seen[rule] = true
	for _, e := range a.failed {
		if e.Negated {
			continue // it failed because what it denies is there
		}
		ast.WalkRefs(e, func(r ast.Ref) bool {
			switch {
			case r[0].Equal(ast.InputRootDocument):
				if path := t.absent(r); path != "" {
					found[path] = true
				}
			case r[0].Equal(ast.DefaultRootDocument):
				for _, asked := range t.compiler.GetRules(r) {
					t.collect(asked, found, seen)
				}
			}
			return false
		})
	}
}

// absent returns the shortest beginning of a reference into the input that leads to nothing; empty when it is there, as far
// as it is constant.
func (t *trace) absent(r ast.Ref) string {
	at := t.input
	for i, key := range r[1:] {
		name, ok := key.Value.(ast.String)
		if !ok {
			return ""
		}
		object, ok := at.(map[string]any)
		if !ok {
			return ""
		}
		if at, ok = object[string(name)]; !ok {
			return r[:i+2].String()
		}
	}
	return ""
}
