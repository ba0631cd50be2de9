package authz

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// impureBuiltins names the built-in functions whose result depends on more than their arguments: clock, chance, network,
// environment. OPA flags most of them. It does not flag those that compare with the clock by themselves, those that may
// fetch a schema, and those that speak to whoever debugs a policy. Whatever is not part of OPA was registered by somebody
// else, and is taken for impure.
var impureBuiltins = sync.OnceValue(func() map[string]bool {
	impure := map[string]bool{}
	for name := range ast.BuiltinMap {
		impure[name] = true
	}
	for _, b := range ast.DefaultBuiltins {
		impure[b.Name] = b.IsNondeterministic()
	}
	for _, name := range []string{
		"crypto.x509.parse_and_verify_certificates",
		"crypto.x509.parse_and_verify_certificates_with_options",
		"internal.print",
		"io.jwt.decode_verify",
		"json.match_schema",
		"json.verify_schema",
		"print",
		"trace",
	} {
		impure[name] = true
	}
	return impure
})
