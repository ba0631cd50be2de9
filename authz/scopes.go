package authz

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

var errScopes = errors.New("not a list or set of OAuth scopes")

// readScopes reads the scopes that a denied request lacks. They go into a header of the reply, so that anything but the
// scope-token of RFC 6749 section 3.3 is refused.
func readScopes(into *[]string, v *ast.Term) error {
	list, ok := v.Value.(interface{ Foreach(func(*ast.Term)) }) // arrays and sets
	if _, object := v.Value.(ast.Object); !ok || object {
		return errScopes
	}
	var scopes []string
	var err error
	list.Foreach(func(t *ast.Term) {
		s, ok := t.Value.(ast.String)
		if !ok || !isScope(string(s)) {
			err = errScopes
			return
		}
		scopes = append(scopes, string(s))
	})
	if err == nil {
		*into = scopes
	}
	return err
}

// isScope reports whether s is a scope-token: printable ASCII without space, quotation mark and backslash.
func isScope(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) < 0
}
