package authn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxToken is the longest token, in bytes, that is looked at. Headers are not much longer anywhere.
const maxToken = 16 << 10

// tokens checks JSON Web Tokens.
type tokens struct {
	options JWTOptions
	static  *keySet     // nil when the keys come from a URL
	remote  *remoteKeys // nil when they do not
}

// newTokens checks the options and starts to fetch keys where they come from a URL.
func newTokens(o JWTOptions) (*tokens, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	t := &tokens{options: o}
	var err error
	if o.JWKSURL != "" {
		t.remote, err = openRemoteKeys(o)
	} else {
		t.static, err = parseKeys(o.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	return t, nil
}

// close stops fetching keys.
func (t *tokens) close() {
	if t.remote != nil {
		t.remote.close()
	}
}

// current returns the keys in force, nil when they are not known yet.
func (t *tokens) current() *keySet {
	if t.remote != nil {
		return t.remote.current()
	}
	return t.static
}

// verify returns the principal of a token and the keys that it was checked with. When no key fits, the issuer may have
// begun to use a new one: the keys are fetched again, as far as the rate limit on that allows, and tried once more.
func (t *tokens) verify(ctx context.Context, token string, now time.Time) (*Principal, *keySet, error) {
	if len(token) > maxToken {
		return nil, nil, errTokenTooLong
	}
	keys := t.current()
	p, err := t.verifyWith(keys, token, now)
	if t.remote == nil || !(errors.Is(err, errUnknownKey) || errors.Is(err, errNoKeys)) {
		return p, keys, err
	}
	t.remote.refreshed(ctx)
	if fresh := t.current(); fresh != keys {
		keys = fresh
		p, err = t.verifyWith(keys, token, now)
	}
	return p, keys, err
}

// verifyWith checks a token with these keys: first what the header says, then the signature, then the claims.
func (t *tokens) verifyWith(keys *keySet, token string, now time.Time) (*Principal, error) {
	if keys == nil {
		return nil, errNoKeys
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(t.options.Algorithms),
		jwt.WithIssuer(t.options.Issuer),
		jwt.WithAudience(t.options.Audience...),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(t.options.Leeway),
		jwt.WithTimeFunc(func() time.Time { return now }),
		jwt.WithJSONNumber(),
		jwt.WithStrictDecoding(),
	)
	claims := jwt.MapClaims{}
	parsed, err := parser.ParseWithClaims(token, claims, func(tok *jwt.Token) (any, error) { return signers(keys, tok) })
	if err != nil {
		return nil, refusal(err)
	}
	return principalOf(claims, parsed.Raw, t.options)
}

// signers returns the keys that may have signed the token, or an *Error.
func signers(keys *keySet, token *jwt.Token) (any, error) {
	if !accessTokenType(token.Header["typ"]) {
		return nil, errTokenType
	}
	if _, critical := token.Header["crit"]; critical {
		return nil, errCritical // RFC 7515 section 4.1.11: what is not understood must be refused.
	}
	kid, _ := token.Header["kid"].(string)
	found := keys.candidates(kid, token.Method.Alg())
	if len(found) == 0 {
		return nil, errUnknownKey
	}
	set := jwt.VerificationKeySet{Keys: make([]jwt.VerificationKey, len(found))}
	for i, k := range found {
		set.Keys[i] = k
	}
	return set, nil
}

// accessTokenType reports whether a token with this typ header may be an access token. Other kinds of signed JWT, such as
// the identity assertion grant "oauth-id-jag+jwt", a logout token or a DPoP proof, name themselves here so that they are
// not taken for one (RFC 8725 section 3.11, RFC 9068 section 2.1).
func accessTokenType(typ any) bool {
	if typ == nil {
		return true
	}
	s, ok := typ.(string)
	if !ok {
		return false
	}
	switch strings.TrimPrefix(strings.ToLower(s), "application/") {
	case "jwt", "at+jwt", "jose":
		return true
	}
	return false
}

// refusal chooses the *Error for an error of the parser. The parser's own text is dropped: it may quote the token.
func refusal(err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, jwt.ErrTokenMalformed):
		return errMalformed
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return errAlgorithm
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errSignature
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return errIssuer
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return errAudience
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return errClaimMissing
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return errNotYet
	case errors.Is(err, jwt.ErrTokenExpired):
		return errExpired
	}
	return errClaimShape
}
