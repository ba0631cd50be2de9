package idp

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// request is one authorization, from the browser's first request to the code's exchange.
type request struct {
	asked                 *oidc.AuthRequest
	id, subject, resource string
	done                  bool
}

// The methods of op.AuthRequest.

func (r *request) GetID() string          { return r.id }
func (r *request) GetACR() string         { return "" }
func (r *request) GetAMR() []string       { return nil }
func (r *request) GetAudience() []string  { return []string{r.resource} }
func (r *request) GetAuthTime() time.Time { return time.Now() }
func (r *request) GetClientID() string    { return r.asked.ClientID }
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}
func (r *request) GetNonce() string                   { return r.asked.Nonce }
func (r *request) GetRedirectURI() string             { return r.asked.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return r.asked.ResponseType }
func (r *request) GetResponseMode() oidc.ResponseMode { return r.asked.ResponseMode }
func (r *request) GetScopes() []string                { return r.asked.Scopes }
func (r *request) GetState() string                   { return r.asked.State }
func (r *request) GetSubject() string                 { return r.subject }
func (r *request) Done() bool                         { return r.done }

// client is the registered client: public, so that PKCE is what protects its codes.
type client struct{ scopes []string }

// The methods of op.Client.

func (client) GetID() string                       { return Client }
func (client) RedirectURIs() []string              { return []string{RedirectURL} }
func (client) PostLogoutRedirectURIs() []string    { return nil }
func (client) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }
func (client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodNone }
func (client) ResponseTypes() []oidc.ResponseType  { return []oidc.ResponseType{oidc.ResponseTypeCode} }
func (client) GrantTypes() []oidc.GrantType        { return []oidc.GrantType{oidc.GrantTypeCode} }
func (client) LoginURL(id string) string           { return "/login?id=" + id }
func (client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (client) IDTokenLifetime() time.Duration      { return time.Hour }
func (client) DevMode() bool                       { return false }
func (client) IDTokenUserinfoClaimsAssertion() bool {
	return false
}
func (client) ClockSkew() time.Duration                                     { return 0 }
func (c client) IsScopeAllowed(scope string) bool                           { return slices.Contains(c.scopes, scope) }
func (client) RestrictAdditionalIdTokenScopes() func([]string) []string     { return same } //nolint:staticcheck // the name is that of the interface
func (client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return same }

func same(scopes []string) []string { return scopes }
