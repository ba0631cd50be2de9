package proxy

import (
	"strings"

	"sark/authz"
	"sark/internal/authn"
)

// challenge is the WWW-Authenticate header of a refused credential (RFC 6750 section 3, RFC 9728 section 5.1). It names the
// scopes to ask for first (MCP 2026-07-28, "Authorization", scope selection).
func (h *Handler) challenge(x *Exchange, code string) string {
	c := bearerChallenge{}
	if code != authn.CodeNoCredential && code != authn.CodeInvalidCertificate { // an error is one of a token
		c.add("error", "invalid_token")
	}
	if h.describesItself(x) {
		c.add("resource_metadata", h.metadataURL(x))
		c.add("scope", strings.Join(h.o.Scopes, " "))
	}
	return c.String()
}

// stepsUp reports whether a denial is one that the caller can lift with a token of more scopes: the policy names them, and
// the caller has a token. To an API key or a certificate the challenge would mean nothing.
func (h *Handler) stepsUp(x *Exchange, d *authz.Decision) bool {
	return !d.Allow && len(d.Scopes) > 0 && x.Principal.Method == authn.MethodJWT && h.describesItself(x)
}

// stepUp is the WWW-Authenticate header that asks for a token with all of these scopes (RFC 6750 section 3.1, MCP
// 2026-07-28, "Scope Challenge Handling").
func (h *Handler) stepUp(x *Exchange, scopes []string) string {
	c := bearerChallenge{}
	c.add("error", "insufficient_scope")
	c.add("scope", strings.Join(scopes, " "))
	c.add("resource_metadata", h.metadataURL(x))
	c.add("error_description", "the token lacks a scope that this request needs")
	return c.String()
}

// describesItself reports whether x is about an endpoint that is described as an OAuth protected resource.
func (h *Handler) describesItself(x *Exchange) bool {
	return len(h.o.Resources) > 0 && x.target.kind == kindMCP
}

// bearerChallenge writes one challenge of the Bearer scheme. The zero value is one without parameters.
type bearerChallenge struct{ parameters []string }

// add adds a parameter, which must not hold quotation marks or backslashes; one without a value is left out.
func (c *bearerChallenge) add(name, value string) {
	if value != "" {
		c.parameters = append(c.parameters, name+`="`+value+`"`)
	}
}

// String is the value of the header.
func (c *bearerChallenge) String() string {
	return strings.TrimSuffix("Bearer "+strings.Join(c.parameters, ", "), " ")
}
