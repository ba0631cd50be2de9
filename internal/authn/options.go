package authn

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"
)

// Options says which credentials are accepted.
type Options struct {
	// APIKeys are the keys from the configuration. IDs must be unique.
	APIKeys []APIKey
	// KeyStore finds keys that are not in the configuration; nil when there is no store.
	KeyStore KeyFinder
	// KeyRecheck is how long a key from the store is trusted before the store is asked again, which bounds how long a
	// revoked key still works. Default 5 s.
	KeyRecheck time.Duration
	// KeyGrace is how long a key that the store has confirmed keeps working while the store cannot be asked. Zero, the
	// default, refuses it at the next recheck.
	KeyGrace time.Duration
	// KeyTimeout bounds one question to the store. Default 2 s.
	KeyTimeout time.Duration
	// JWT says which tokens are accepted; nil refuses all.
	JWT *JWTOptions
	// MTLS says which client certificates are accepted; nil takes no notice of them.
	MTLS *MTLSOptions
	// Anonymous admits callers without a credential; nil refuses them.
	Anonymous *AnonymousOptions
	// Remembered is how many checked credentials are kept in memory, each with up to 8 KiB, and as many certificates.
	// Default 8192.
	Remembered int
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// AnonymousOptions describes the named anonymous principal.
type AnonymousOptions struct {
	// Roles are its roles, for example "anonymous".
	Roles []string
}

// JWTOptions says which tokens are accepted: OAuth access tokens in the form of a signed JWT (RFC 7519, RFC 9068).
// Issuer, Audience and one of Key and JWKSURL are required.
type JWTOptions struct {
	// Issuer is the iss claim that a token must have, compared byte for byte.
	Issuer string
	// Audience lists the aud values that name this gateway; a token must have one of them (RFC 8707 resource).
	Audience []string
	// Key is a static key: PEM (public keys or certificates) or a JWKS document. Private and shared keys are refused.
	Key []byte
	// JWKSURL is where the issuer publishes its keys: https, or http on a loopback address.
	JWKSURL string
	// Transport fetches the JWKS; default a transport of its own that honours the proxy variables of the environment.
	Transport http.RoundTripper
	// Control is asked about each address of the issuer after its name was resolved, before it is connected to
	// (net.Dialer.Control); nil allows all. A proxy of the environment resolves names by itself and is not asked about.
	Control func(network, address string, c syscall.RawConn) error
	// Refresh is how often the JWKS is fetched. Default 5 minutes, which is also the longest a withdrawn key still works.
	Refresh time.Duration
	// KeysLife is how long the keys of the JWKS stay in force while they cannot be fetched again: a key that was withdrawn
	// must not live for as long as somebody keeps the issuer out of reach. Default 24 hours.
	KeysLife time.Duration
	// RefreshUnknown is the least time between two fetches that tokens with an unknown key ask for. Default 10 s.
	RefreshUnknown time.Duration
	// FetchTimeout bounds one fetch as a whole. Default 5 s. A request waits for a running fetch 2 s at most.
	FetchTimeout time.Duration
	// Claims names the claims that become roles, teams and scopes.
	Claims ClaimNames
	// Leeway is how far the clocks of issuer and gateway may differ. Default 30 s, at most 5 minutes. Negative means none.
	Leeway time.Duration
	// Algorithms are the accepted values of alg. Default all asymmetric ones: RS, PS and ES with SHA-256, 384 and 512, and
	// EdDSA. Others cannot be chosen: "none" and HMAC are never accepted.
	Algorithms []string
}

// ClaimNames names claims. A name is that of a claim as it stands ("https://example.com/roles"), or else a dotted path
// into nested objects ("realm_access.roles"). A claim may be an array of strings, or a string: one role or team, or
// scopes with spaces between them (RFC 6749 section 3.3).
type ClaimNames struct {
	// Roles defaults to "roles".
	Roles string
	// Teams defaults to "teams".
	Teams string
	// Scopes defaults to "scope", and "scp" where a token has no scope.
	Scopes string
}

const (
	defaultKeyRecheck     = 5 * time.Second
	defaultKeyTimeout     = 2 * time.Second
	defaultRefresh        = 5 * time.Minute
	defaultKeysLife       = 24 * time.Hour
	defaultRefreshUnknown = 10 * time.Second
	defaultFetchTimeout   = 5 * time.Second
	defaultLeeway         = 30 * time.Second
	maxLeeway             = 5 * time.Minute
)

// withDefaults fills in what the caller left out. It copies what it changes.
func withDefaults(o Options) Options {
	if o.KeyRecheck <= 0 {
		o.KeyRecheck = defaultKeyRecheck
	}
	if o.KeyTimeout <= 0 {
		o.KeyTimeout = defaultKeyTimeout
	}
	if o.Remembered <= 0 {
		o.Remembered = defaultVerified
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.JWT != nil {
		j := jwtDefaults(*o.JWT)
		o.JWT = &j
	}
	return o
}

// jwtDefaults fills in what the caller left out.
func jwtDefaults(o JWTOptions) JWTOptions {
	if o.Refresh <= 0 {
		o.Refresh = defaultRefresh
	}
	if o.KeysLife <= 0 {
		o.KeysLife = defaultKeysLife
	}
	if o.RefreshUnknown <= 0 {
		o.RefreshUnknown = defaultRefreshUnknown
	}
	if o.FetchTimeout <= 0 {
		o.FetchTimeout = defaultFetchTimeout
	}
	switch {
	case o.Leeway == 0:
		o.Leeway = defaultLeeway
	case o.Leeway < 0:
		o.Leeway = 0
	}
	if o.Claims.Roles == "" {
		o.Claims.Roles = "roles"
	}
	if o.Claims.Teams == "" {
		o.Claims.Teams = "teams"
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = asymmetric()
	}
	return o
}

// check says which token option is missing or wrong.
func (o *JWTOptions) check() error {
	switch {
	case o.Issuer == "":
		return errors.New("jwt: an issuer is required")
	case len(o.Audience) == 0:
		return errors.New("jwt: an audience is required")
	case len(o.Key) == 0 && o.JWKSURL == "":
		return errors.New("jwt: a key or a JWKS URL is required")
	case len(o.Key) != 0 && o.JWKSURL != "":
		return errors.New("jwt: a key and a JWKS URL exclude each other")
	case o.Leeway > maxLeeway:
		return fmt.Errorf("jwt: a leeway of %v is more than %v", o.Leeway, maxLeeway)
	}
	for _, a := range o.Audience {
		if a == "" {
			return errors.New("jwt: an audience must not be empty")
		}
	}
	for _, alg := range o.Algorithms {
		if !isAsymmetric(alg) {
			return fmt.Errorf("jwt: algorithm %q is not an asymmetric signature that is supported", alg)
		}
	}
	return nil
}
