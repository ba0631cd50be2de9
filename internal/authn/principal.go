package authn

import "time"

// Method names how a principal proved who it is. The words appear in policies and in the audit trail.
type Method string

// The methods of authentication.
const (
	MethodNone      Method = "none"      // the credential was refused: there is no principal
	MethodAnonymous Method = "anonymous" // no credential, and anonymous callers are allowed
	MethodAPIKey    Method = "api_key"
	MethodJWT       Method = "jwt"
	MethodMTLS      Method = "mtls"
	MethodLocal     Method = "local" // the gateway's own command line over its unix socket
)

// Type classifies a principal: "user", "service", "system" or "anonymous".
type Type string

// The types of principals.
const (
	TypeUser      Type = "user"
	TypeService   Type = "service"
	TypeSystem    Type = "system"
	TypeAnonymous Type = "anonymous"
)

// Principal is who sends a request. It is immutable once made: authenticators share one value between requests that carry
// the same credential, so nobody may change its slices or maps.
type Principal struct {
	// ID is the stable identifier: the subject of a token or of an API key, the SPIFFE ID or else the name of a client
	// certificate, or "anonymous".
	ID string
	// Type classifies the principal.
	Type Type
	// Method is how it proved who it is.
	Method Method
	// Issuer is the token's issuer, or of a client certificate the SPIFFE trust domain or else the distinguished name of
	// its issuer; empty for API keys and anonymous.
	Issuer string
	// ClientID is the OAuth client (client_id or azp claim), or empty.
	ClientID string
	// KeyID is the identifier of the API key, or empty.
	KeyID string
	// Email is the token's email claim, or empty.
	Email string
	// Roles, Teams and Scopes come from the claims that the configuration names, or from the API key. Never nil.
	Roles, Teams, Scopes []string
	// Claims holds the verified claims of the token for policies to read; nil for all but tokens.
	Claims map[string]any
	// ExpiresAt is when the credential ends; zero means never.
	ExpiresAt time.Time
	// Fingerprint is a SHA-256 digest of the credential (of an API key its id and the hash of its secret, of a certificate
	// the whole, of anonymous the word), of ID and of Roles: equal fingerprints mean that servers are told the same of the
	// same credential. It partitions caches; sessions and limits go by the principal behind it, which outlives a token.
	Fingerprint [32]byte
}

// Expired reports whether the credential's lifetime has ended at now.
func (p *Principal) Expired(now time.Time) bool {
	return !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt)
}

// Anonymous returns the named principal of callers without a credential, holding the given roles.
// The caller must not change roles afterwards.
func Anonymous(roles []string) *Principal {
	if roles == nil {
		roles = []string{}
	}
	const id = "anonymous"
	return &Principal{
		ID: id, Type: TypeAnonymous, Method: MethodAnonymous,
		Roles: roles, Teams: []string{}, Scopes: []string{}, Fingerprint: fingerprint([]byte(id), id, roles),
	}
}
