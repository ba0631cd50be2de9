package authz

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Analysis says which parts of the input a policy can read, and so whether the engine may answer from memory. It is made
// from the compiled policy and from what is the same for every question, data and policy_config, and errs on the side of
// too much: a path that is missing from Reads cannot change a decision while those are what they are.
type Analysis struct {
	// Memoised is true when decisions are remembered.
	Memoised bool
	// Reads lists the parts of the input that a decision may depend on, sorted, as in "input.tool.name"; whatever is below
	// a listed part counts as read.
	Reads []string
	// Why lists what keeps decisions from being remembered, sorted, each with file and line; empty when Memoised.
	Why []string
}

// Analysis returns what is known of the policy in force; the zero Analysis when there is none.
func (e *Engine) Analysis() Analysis {
	s := e.active.Load()
	if s == nil {
		return Analysis{}
	}
	return Analysis{Memoised: s.memo != nil, Reads: s.reads.names(), Why: slices.Clone(s.reads.why)}
}

// reads is what a policy can read of the input, and what of it cannot be known.
type reads struct {
	paths []inputPath // sorted; none is below another
	why   []string    // what makes decisions depend on more than paths; sorted
}

// exact reports whether equal values at all paths mean equal decisions.
func (r *reads) exact() bool { return len(r.why) == 0 }

func (r *reads) names() []string {
	names := make([]string, len(r.paths))
	for i, p := range r.paths {
		names[i] = p.String()
	}
	return names
}

// inputPath names a part of the input by the keys that lead to it, from the outside in.
type inputPath []string

// String returns the path as policies write it.
func (p inputPath) String() string {
	ref := ast.Ref{ast.InputRootDocument}
	for _, key := range p {
		ref = ref.Append(ast.StringTerm(key))
	}
	return ref.String()
}

// covers reports whether q is p or a part of it.
func (p inputPath) covers(q inputPath) bool { return len(p) <= len(q) && slices.Equal(p, q[:len(p)]) }

// overlaps reports whether one of both is a part of the other.
func (p inputPath) overlaps(q inputPath) bool { return p.covers(q) || q.covers(p) }

// analyse follows every rule that the entry point can reach and that is not dead.
func analyse(compiler *ast.Compiler, dead *deadRules) reads {
	w := newWalker(compiler, dead)
	w.ref(EntryPoint())
	r := reads{paths: outermost(w.paths)}
	for why := range w.why {
		r.why = append(r.why, why)
	}
	slices.Sort(r.why)
	return r
}

// outermost sorts paths and drops those that another one covers.
func outermost(paths []inputPath) []inputPath {
	slices.SortFunc(paths, func(a, b inputPath) int { return slices.Compare(a, b) })
	var kept []inputPath
	for _, p := range paths {
		if n := len(kept); n == 0 || !kept[n-1].covers(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// walker collects what compiled rules read. It knows nothing of values and conditions: whatever is written in a rule that
// can be reached counts as read, unless the rule is dead.
type walker struct {
	tree   *ast.TreeNode
	dead   *deadRules
	seen   map[*ast.Rule]bool
	rule   *ast.Rule // where it is; nil in the query
	paths  []inputPath
	why    map[string]bool
	impure map[string]bool
}

func newWalker(compiler *ast.Compiler, dead *deadRules) *walker {
	return &walker{
		tree: compiler.RuleTree, dead: dead, impure: impureBuiltins(),
		seen: map[*ast.Rule]bool{}, why: map[string]bool{},
	}
}

// refuse notes what cannot be covered by paths.
func (w *walker) refuse(format string, a ...any) {
	why := fmt.Sprintf(format, a...)
	if w.rule != nil && w.rule.Location != nil {
		why = fmt.Sprintf("%s:%d: %s", w.rule.Location.File, w.rule.Location.Row, why)
	}
	w.why[why] = true
}

func (w *walker) walk(x any) { ast.NewGenericVisitor(w.node).Walk(x) }

// node looks at one node of a rule, and reports whether it has taken care of what is below.
func (w *walker) node(x any) bool {
	switch x := x.(type) {
	case ast.Body:
		w.body(x)
		return true
	case *ast.Expr:
		if len(x.With) > 0 {
			w.refuse("replaces values (with)")
		}
	case ast.Ref:
		w.ref(x)
		return true
	case ast.Var:
		w.ref(ast.Ref{ast.NewTerm(x)})
	}
	return false
}

// ref looks at a reference: its head, and the terms that it is made of.
func (w *walker) ref(r ast.Ref) {
	head, ok := r[0].Value.(ast.Var)
	switch {
	case !ok:
		w.walk(r[0])
	case head.Equal(ast.InputRootDocument.Value):
		w.input(r)
	case head.Equal(ast.DefaultRootDocument.Value):
		w.data(r)
	default:
		w.builtin(r)
	}
	for _, t := range r[1:] {
		w.walk(t)
	}
}

// input notes the constant beginning of a reference into the input. A number ends it: what it selects depends on whether
// it meets an array or an object.
func (w *walker) input(r ast.Ref) {
	p := constant(r[1:])
	if len(p) == 0 {
		w.refuse("reads the input as a whole")
		return
	}
	w.paths = append(w.paths, p)
}

// constant returns the texts that terms begin with.
func constant(terms []*ast.Term) inputPath {
	var p inputPath
	for _, t := range terms {
		key, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		p = append(p, string(key))
	}
	return p
}

// builtin refuses functions whose result depends on more than their arguments, also when they are only named.
func (w *walker) builtin(r ast.Ref) {
	if name := r.String(); w.impure[name] {
		w.refuse("uses %s", name)
	}
}

// data follows a reference to the rules that it can mean.
func (w *walker) data(r ast.Ref) {
	for _, n := range reachable(w.tree, r) {
		w.rules(n)
	}
}

// reachable returns where the rules stand that a reference can mean: on the way to what it names, there, and below.
func reachable(tree *ast.TreeNode, r ast.Ref) []*ast.TreeNode {
	var found []*ast.TreeNode
	node := tree.Child(r[0].Value)
	for _, key := range constant(r[1:]) {
		if node == nil {
			return found
		}
		found = append(found, node)
		node = node.Child(ast.String(key))
	}
	if node != nil {
		node.DepthFirst(func(n *ast.TreeNode) bool {
			found = append(found, n)
			return false
		})
	}
	return found
}

// rules follows the rules of one name that were not followed yet.
func (w *walker) rules(n *ast.TreeNode) {
	if n.External != nil {
		w.refuse("takes the rules of %v from a plugin", n.Key)
	}
	for _, rule := range n.Values {
		for ; rule != nil && !w.seen[rule]; rule = rule.Else {
			w.seen[rule] = true
			if w.dead.dead(rule) {
				continue
			}
			from := w.rule
			w.rule = rule
			w.ruleBody(rule)
			w.rule = from
		}
	}
}

func (w *walker) ruleBody(rule *ast.Rule) {
	for _, t := range rule.Head.Reference[min(1, len(rule.Head.Reference)):] {
		w.walk(t)
	}
	w.walk(rule.Head)
	w.walk(rule.Body)
}
