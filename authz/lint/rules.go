package lint

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/authz"
)

// rule finds grants that depend on nothing.
func (l *linter) rule(r *ast.Rule) {
	if len(r.Head.Args) > 0 || !l.grants(r.Head) {
		return
	}
	switch {
	case r.Default:
		l.note("BLANKET_ALLOW", Error, r.Location, "the default allows: what no rule speaks of is allowed")
	case bare(r.Body):
		l.note("UNCONDITIONAL_ALLOW", Error, r.Location, "the rule allows without a condition")
	case !slices.ContainsFunc(r.Body, depends):
		l.note("EMPTY_ALLOW_CONDITION", Error, r.Location, "the conditions of the rule are the same for every request")
	}
}

// grants tells whether a rule allows something when it holds: allow, an entry of grant, or a decision that allows.
func (l *linter) grants(h *ast.Head) bool {
	ref := h.Ref()
	name, ok := ref[0].Value.(ast.Var)
	if !ok {
		return false
	}
	switch name {
	case "allow":
		return h.Value == nil || h.Value.Value.Compare(ast.Boolean(true)) == 0
	case "grant":
		entry := authz.EntryPoint()
		return l.pack == entry[:len(entry)-1].String() && len(ref) > 1
	}
	if h.Value == nil {
		return false
	}
	object, ok := h.Value.Value.(ast.Object)
	if !ok {
		return false
	}
	allow := object.Get(ast.StringTerm("allow"))
	return allow != nil && allow.Value.Compare(ast.Boolean(true)) == 0
}

// bare tells whether a body is the one that the parser gives to rules without any, or "true".
func bare(b ast.Body) bool { return len(b) == 1 && b[0].Equal(ast.NewExpr(ast.BooleanTerm(true))) }

// depends tells whether an expression may be true for one request and false for another.
func depends(e *ast.Expr) bool {
	if e.IsCall() && !slices.Contains(comparisons(), e.Operator().String()) {
		return true
	}
	found := false
	look := func(t *ast.Term) {
		ast.WalkTerms(t, func(t *ast.Term) bool {
			switch t.Value.(type) {
			case ast.Ref, ast.Var, ast.Call, *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
				found = true
			}
			return found
		})
	}
	switch terms := e.Terms.(type) {
	case *ast.Term:
		look(terms)
	case []*ast.Term:
		for _, t := range terms[1:] {
			look(t)
		}
	default:
		return true
	}
	return found
}

func comparisons() []string {
	return []string{"eq", "equal", "neq", "lt", "lte", "gt", "gte", "assign"}
}
