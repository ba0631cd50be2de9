package authz

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// body walks the expressions of a body. It knows object.get(input.a, ["b", "c"], default), which reads no more than
// input.a.b.c. That is so only where input.a is always an object: of anything else the call is undefined, which the value
// at the path does not tell.
func (w *walker) body(body ast.Body) {
	known := map[*ast.Expr]bool{}
	for _, x := range body {
		if from := objectOf(body, x); from != nil {
			w.objectGet(from, x)
			known[from], known[x] = true, true
		}
	}
	for _, x := range body {
		if !known[x] {
			w.walk(x)
		}
	}
}

// objectOf returns the expression that gives an object.get its object, nil when it is not known to read only a part of it.
// The compiler has put the two apart: "x = input.a; object.get(x, keys, default, result)" with a variable of its own.
func objectOf(body ast.Body, get *ast.Expr) *ast.Expr {
	if !get.IsCall() || !get.Operator().Equal(ast.ObjectGet.Ref()) || len(get.With) > 0 || len(get.Operands()) < 3 {
		return nil
	}
	v, ok := get.Operand(0).Value.(ast.Var)
	if !ok || !v.IsGenerated() || len(constantKeys(get.Operand(1))) == 0 || uses(body, v) != 2 {
		return nil
	}
	i := slices.IndexFunc(body, func(x *ast.Expr) bool {
		return x.IsEquality() && x.Generated && len(x.With) == 0 && x.Operand(0).Value.Compare(v) == 0
	})
	if i < 0 {
		return nil
	}
	from, ok := body[i].Operand(1).Value.(ast.Ref)
	if !ok || !from.HasPrefix(ast.InputRootRef) || len(constant(from[1:])) != len(from)-1 || !alwaysObject(constant(from[1:])) {
		return nil
	}
	return body[i]
}

// uses counts how often a body names a variable.
func uses(body ast.Body, v ast.Var) int {
	n := 0
	ast.WalkVars(body, func(found ast.Var) bool {
		if found == v {
			n++
		}
		return false
	})
	return n
}

func (w *walker) objectGet(from, get *ast.Expr) {
	base := constant(from.Operand(1).Value.(ast.Ref)[1:])
	w.paths = append(w.paths, slices.Concat(base, constantKeys(get.Operand(1))))
	for _, t := range get.Operands()[2:] {
		w.walk(t)
	}
}

// constantKeys returns the keys that the second operand of object.get names; none when they are not all constant texts.
func constantKeys(t *ast.Term) inputPath {
	switch v := t.Value.(type) {
	case ast.String:
		return inputPath{string(v)}
	case *ast.Array:
		terms := make([]*ast.Term, v.Len())
		for i := range terms {
			terms[i] = v.Elem(i)
		}
		if p := constant(terms); len(p) == len(terms) {
			return p
		}
	}
	return nil
}

// alwaysObject reports whether a part of the input is an object in every document.
func alwaysObject(p inputPath) bool {
	switch strings.Join(p, ".") {
	case "", "principal", "user", "principal.claims", "user.claims", "mcp", "request", "request.headers", "time", "policy_config":
		return true
	}
	return false
}
