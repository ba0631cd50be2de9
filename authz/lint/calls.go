package lint

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// forbidden returns the code for a built-in function that a policy should not call; empty for all others.
func forbidden(name string) string {
	switch name {
	case "http.send":
		return "FORBIDDEN_HTTP_SEND"
	case "opa.runtime":
		return "FORBIDDEN_OPA_RUNTIME"
	case "net.lookup_ip_addr":
		return "FORBIDDEN_NET_LOOKUP"
	}
	return ""
}

// term looks at one term: calls within expressions, functions that are only named, and constants.
func (l *linter) term(t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.Call:
		if name, ok := v[0].Value.(ast.Ref); ok {
			l.call(name, v[1:], t.Location)
		}
	case ast.Ref:
		l.reference(v, t.Location)
	case ast.String:
		l.text(string(v), t.Location)
	}
}

// reference finds functions however they are used, also as the target of "with", and readings of the whole input.
func (l *linter) reference(r ast.Ref, at *ast.Location) {
	name := r.String()
	if code := forbidden(name); code != "" && !slices.Contains(l.allowed, name) {
		l.note(code, Error, at, "%s reaches outside the policy while a request waits; give what it needs as data, or allow it with --allow %s",
			name, name)
	}
	if len(r) > 1 && r[0].Equal(ast.InputRootDocument) && !r[1].IsGround() {
		l.note("WALK_FULL_INPUT", Warning, at, "it goes through the whole input: name the fields that it needs")
	}
}

// call looks at a call of a function.
func (l *linter) call(name ast.Ref, args []*ast.Term, at *ast.Location) {
	switch name.String() {
	case "walk":
		if len(args) > 0 && args[0].String() == ast.InputRootDocument.String() {
			l.note("WALK_FULL_INPUT", Warning, at, "it walks the whole input: name the fields that it needs")
		}
	case "trace":
		l.note("DEBUG_TRACE", Warning, at, "trace is for debugging; nobody sees it in a gateway")
	case "print":
		l.note("DEBUG_PRINT", Warning, at, "print is for debugging; nobody sees it in a gateway")
	case "regex.match", "re_match":
		if len(args) > 0 && matchesAll(args[0]) {
			l.note("OVERLY_BROAD_REGEX", Warning, at, "the pattern matches every text")
		}
	case "equal", "eq":
		if slices.ContainsFunc(args, func(t *ast.Term) bool { return t.Equal(ast.StringTerm("")) }) {
			l.note("EMPTY_STRING_CHECK", Note, at, `what is absent does not equal "": the comparison is undefined then, and its "not" is true`)
		}
	}
}

// matchesAll recognises patterns that match every text.
func matchesAll(pattern *ast.Term) bool {
	s, ok := pattern.Value.(ast.String)
	if !ok {
		return false
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(string(s), "^"), "$")
	return slices.Contains([]string{"", ".*", ".+", "(.*)", "(.+)", ".*?", `[\s\S]*`}, bare)
}

// text finds networks that hold half of all addresses or more.
func (l *linter) text(s string, at *ast.Location) {
	if network, err := netip.ParsePrefix(s); err == nil && network.Bits() <= 1 {
		l.note("OVERLY_BROAD_CIDR", Warning, at, "%s holds %s", s, map[int]string{0: "every address", 1: "half of all addresses"}[network.Bits()])
	}
}
