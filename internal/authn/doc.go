// Package authn turns a credential into a Principal: API keys, JSON Web Tokens checked against a static key or a JWKS,
// client certificates, and the named anonymous principal.
//
// It promises that a Principal is never nil when the error is nil, that a credential it cannot check is refused and never
// downgraded to anonymous, and that no credential appears in an error, a log line or a Principal. It knows nothing of
// policies: what a principal may do is not decided here.
package authn
