package authn

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"time"
)

// Credentials are what one request says of its sender. They need to live during the call only.
type Credentials struct {
	// Authorization and APIKey are the raw header values: what follows "Authorization:" and "X-API-Key:". A header that is
	// absent is nil; one that is present and empty is not.
	Authorization, APIKey []byte
	// Certificate is the client's, verified in the TLS handshake; nil without one. It counts only when both headers are
	// absent: a certificate says which program is connected, and often is that of a mesh or a gateway, while a header says
	// on whose behalf the request is made (MCP wants the token on every request). A header that is refused is never made
	// up for by a certificate.
	Certificate *x509.Certificate
}

// Authenticator turns credentials into principals. Its methods may be called from several goroutines at once.
type Authenticator struct {
	keys         keyring
	tokens       *tokens       // nil: tokens are refused
	certificates *certificates // nil: client certificates say nothing
	anonymous    *Principal    // nil: callers without a credential are refused
	memory       *memory
	recheck      time.Duration
	grace        time.Duration
	now          func() time.Time
}

// New returns an Authenticator, or an error that says which option is wrong. With a JWKS URL it starts fetching and does
// not wait: tokens are refused with CodeUnavailable until the keys are there. The caller must Close it.
func New(o Options) (*Authenticator, error) {
	o = withDefaults(o)
	a := &Authenticator{memory: newMemory(o.Remembered), recheck: o.KeyRecheck, grace: o.KeyGrace, now: o.Now}
	var err error
	if a.keys, err = newKeyring(o); err != nil {
		return nil, err
	}
	if o.Anonymous != nil {
		a.anonymous = Anonymous(clone(o.Anonymous.Roles))
	}
	if o.MTLS != nil {
		if a.certificates, err = newCertificates(*o.MTLS, o.Remembered); err != nil {
			return nil, err
		}
	}
	if o.JWT != nil {
		if a.tokens, err = newTokens(*o.JWT); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Close stops the refresh of the issuer's keys and waits for it. Calls after it, and calls of Authenticate that are under
// way, use the keys that were there last.
func (a *Authenticator) Close() {
	if a.tokens != nil {
		a.tokens.close()
	}
}

// Ready returns nil when every kind of credential can be checked, and else what is missing and why.
func (a *Authenticator) Ready() error {
	if a.tokens == nil || a.tokens.current() != nil {
		return nil
	}
	if err := a.tokens.remote.why(); err != nil { // static keys are always there
		return fmt.Errorf("%w: %w", errNoKeys, err)
	}
	return errNoKeys
}

// Authenticate returns who sends a request with these credentials. The error, if any, is an *Error; the principal is nil
// then and never nil otherwise. A credential that cannot be checked is refused, never taken for anonymous. The context
// bounds questions to the key store and waiting for the issuer's keys.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials) (*Principal, error) {
	if a.certificates != nil && c.Certificate != nil && c.Authorization == nil && c.APIKey == nil {
		return a.certificates.verify(c.Certificate, a.now())
	}
	credential, err := a.single(c)
	if err != nil {
		return nil, err
	}
	if credential == nil {
		return a.anonymous, nil
	}
	now := a.now()
	if v := a.memory.find(credential); v != nil && a.usable(v, now) {
		if v.due == nil || !claimDue(v.due, now, a.recheck) {
			return v.principal, nil
		}
		return a.askAgain(ctx, v, now)
	}
	return a.verify(ctx, credential, now)
}

// single returns the one credential of a request, without its scheme: a token or an API key. It returns nil and no error
// for an anonymous caller. What follows can rely on an API key, and nothing else, beginning with "sark_".
func (a *Authenticator) single(c Credentials) ([]byte, error) {
	switch {
	case c.Authorization != nil && c.APIKey != nil:
		return nil, errBothCredentials
	case c.APIKey != nil:
		if !isAPIKey(c.APIKey) {
			return nil, errKeyMalformed
		}
		return c.APIKey, nil
	case c.Authorization != nil:
		if t := bearer(c.Authorization); t != nil {
			return t, nil
		}
		return nil, errScheme
	case a.anonymous == nil:
		return nil, errNoCredential
	}
	return nil, nil
}

// usable reports whether a remembered credential still counts: its lifetime has not ended, and the issuer still publishes
// the keys that it was checked with.
func (a *Authenticator) usable(v *verified, now time.Time) bool {
	return now.Before(v.until) && (v.keys == nil || v.keys == a.tokens.current())
}

// verify checks a credential in full and remembers it when it is good.
func (a *Authenticator) verify(ctx context.Context, credential []byte, now time.Time) (*Principal, error) {
	if isAPIKey(credential) {
		return a.verifyKey(ctx, credential, now)
	}
	if a.tokens == nil {
		return nil, errNoIssuer
	}
	p, keys, err := a.tokens.verify(ctx, string(credential), now)
	if err != nil {
		return nil, err
	}
	until := now.Add(maxTrust)
	if p.ExpiresAt.Before(until) {
		until = p.ExpiresAt
	}
	a.memory.remember(&verified{credential: bytes.Clone(credential), principal: p, until: until, keys: keys}, now)
	return p, nil
}

// verifyKey is verify for API keys.
func (a *Authenticator) verifyKey(ctx context.Context, credential []byte, now time.Time) (*Principal, error) {
	if len(credential) > maxKeyLen {
		return nil, errKeyMalformed
	}
	p, stored, err := a.keys.verify(ctx, string(credential), now)
	if err != nil {
		return nil, err
	}
	v := &verified{credential: bytes.Clone(credential), principal: p, until: p.ExpiresAt, checked: now}
	if v.until.IsZero() {
		v.until = now.Add(forever)
	}
	if stored {
		v.due = new(atomic.Int64)
		v.due.Store(now.Add(a.recheck).UnixNano())
	}
	a.memory.remember(v, now)
	return p, nil
}

// askAgain asks the store whether a remembered key still holds, and forgets it when not.
func (a *Authenticator) askAgain(ctx context.Context, v *verified, now time.Time) (*Principal, error) {
	p, err := a.verifyKey(ctx, v.credential, now)
	if err == nil {
		return p, nil
	}
	if CodeOf(err) == CodeUnavailable && now.Before(v.checked.Add(a.grace)) {
		return v.principal, nil
	}
	a.memory.forget(v)
	return nil, err
}

// maxTrust is how long a token is trusted before it is checked in full again. A token whose issuer's keys change is checked
// at once (see usable).
const maxTrust = 5 * time.Minute

// forever is longer than a process lives.
const forever = 100 * 365 * 24 * time.Hour

// claimDue reports whether the recheck is due at now and this caller is the one to do it. The others go on with what is
// known: a store that is slow must not make every request wait for it.
func claimDue(due *atomic.Int64, now time.Time, every time.Duration) bool {
	at := due.Load()
	return now.UnixNano() >= at && due.CompareAndSwap(at, now.Add(every).UnixNano())
}

// isAPIKey reports whether a credential is meant as an API key.
func isAPIKey(credential []byte) bool { return bytes.HasPrefix(credential, []byte(keyPrefix)) }

// bearer returns the token of an Authorization header (RFC 6750 section 2.1), or nil. The scheme is case-insensitive.
func bearer(header []byte) []byte {
	const scheme = "bearer "
	if len(header) <= len(scheme) || !bytes.EqualFold(header[:len(scheme)], []byte(scheme)) {
		return nil
	}
	token := bytes.Trim(header[len(scheme):], " ")
	if len(token) == 0 {
		return nil
	}
	return token
}
