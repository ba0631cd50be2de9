package authz

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxSettledSteps bounds what finding the dead rules of a policy may cost, in steps of the interpreter; it takes some tens
// of milliseconds at most. What is not known by then is taken for alive.
const maxSettledSteps = 100_000

// deadRules finds the rules that can never apply while the policy's data and input.policy_config are what they are, such as
// those of a check that is switched off: whatever else they read cannot change a decision.
//
// A rule is dead when some expression of its body is false or undefined for every input, and nothing before it can raise an
// error. The latter matters because an error ends the whole evaluation, also one in a rule that would not have applied. The
// interpreter evaluates a body in the order of the compiled expressions, so what stands behind cannot.
//
// Such expressions are settled: they depend on data and policy_config alone, on rules that do so or are dead, and on
// variables of other settled ones. The interpreter itself is asked for them.
type deadRules struct {
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction
	input    *ast.Term // policy_config alone
	budget   *budget
	known    map[*ast.Rule]bool
	calmed   map[*ast.TreeNode]bool
}

func newDeadRules(compiler *ast.Compiler, store storage.Store, txn storage.Transaction, policyConfig *ast.Term) *deadRules {
	return &deadRules{
		compiler: compiler, store: store, txn: txn,
		input:  object(pair{keyPolicyConfig, policyConfig}),
		budget: &budget{left: maxSettledSteps},
		known:  map[*ast.Rule]bool{}, calmed: map[*ast.TreeNode]bool{},
	}
}

// dead reports whether a rule, without the rules after its else, can never apply. Rules are not recursive, so this ends.
// Nil deadRules take all rules for alive.
func (d *deadRules) dead(rule *ast.Rule) bool {
	if d == nil {
		return false
	}
	dead, ok := d.known[rule]
	if !ok {
		dead = d.deadBody(rule)
		d.known[rule] = dead
	}
	return dead
}

// deadBody goes through the expressions of a rule as the interpreter does. Variables that anything but settled expressions
// may have bound are open; those of the head may be bound by whoever refers to the rule.
func (d *deadRules) deadBody(rule *ast.Rule) bool {
	open, settled := variables(rule.Head), ast.Body{}
	open.Update(variables(rule.Head.Ref()))
	for _, x := range rule.Body {
		vars := variables(x)
		if d.settled(x) && len(vars.Intersect(open)) == 0 {
			settled.Append(x.Copy())
			if never, ok := d.ask(settled); never || !ok {
				return never
			}
			continue
		}
		if !d.calm(x) {
			return false
		}
		open.Update(vars)
	}
	return false
}

// variables returns all variables of a part of a rule, also those of comprehensions.
func variables(x any) ast.VarSet {
	v := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipRefCallHead: true})
	v.Walk(x)
	return v.Vars().Diff(ast.ReservedVars)
}

// settled reports whether an expression reads nothing of the input but policy_config.
func (d *deadRules) settled(x *ast.Expr) bool {
	w := newWalker(d.compiler, d)
	w.walk(x)
	for _, p := range w.paths {
		if p[0] != "policy_config" {
			return false
		}
	}
	return len(w.why) == 0
}

// ask evaluates settled expressions. It is not known that they never hold when the interpreter fails or gives up.
func (d *deadRules) ask(settled ast.Body) (never, ok bool) {
	never = true
	err := topdown.NewQuery(settled).WithCompiler(d.compiler).WithStore(d.store).WithTransaction(d.txn).
		WithInput(d.input).WithCancel(d.budget).Iter(context.Background(), func(topdown.QueryResult) error {
		never = false
		return nil
	})
	return never && err == nil, err == nil
}

// calm reports whether evaluating an expression can raise no error, whatever the input. Errors of built-in functions make
// an expression undefined; conflicts, of rules or of the keys of an object that is put together, are errors.
func (d *deadRules) calm(x *ast.Expr) bool {
	calm := len(x.With) == 0
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			calm = calm && len(x.With) == 0
		case *ast.ObjectComprehension:
			calm = false
		case ast.Ref:
			if x.HasPrefix(ast.DefaultRootRef) {
				for _, n := range reachable(d.compiler.RuleTree, x) {
					calm = calm && d.calmNode(n)
				}
			}
		}
		return !calm
	}).Walk(x)
	return calm
}

// calmNode reports whether the rules of one name never conflict: they make a set, or all have the same constant value.
func (d *deadRules) calmNode(n *ast.TreeNode) bool {
	calm, ok := d.calmed[n]
	if !ok {
		calm = n.External == nil && d.calmRules(n.Values)
		d.calmed[n] = calm
	}
	return calm
}

func (d *deadRules) calmRules(rules []*ast.Rule) bool {
	for _, rule := range rules {
		for ; rule != nil; rule = rule.Else {
			if !sameValue(rule.Head, rules[0].Head) {
				return false
			}
			for _, x := range rule.Body {
				if !d.calm(x) {
					return false
				}
			}
		}
	}
	return true
}

func sameValue(a, b *ast.Head) bool {
	if a.RuleKind() == ast.MultiValue || b.RuleKind() == ast.MultiValue {
		return a.RuleKind() == b.RuleKind()
	}
	return a.Ref().IsGround() && ast.IsConstant(a.Value.Value) && a.Value.Equal(b.Value)
}

// budget stops the interpreter after a number of steps: other than a clock it says the same every time.
type budget struct{ left int }

// Cancel implements topdown.Cancel.
func (b *budget) Cancel() { b.left = 0 }

// Cancelled implements topdown.Cancel.
func (b *budget) Cancelled() bool {
	b.left--
	return b.left < 0
}
