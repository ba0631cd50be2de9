package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLifetime is the exp of tokens whose claims name none.
const tokenLifetime = time.Hour

// Signer is an identity provider: it signs JWTs with ES256 and serves the
// public key as a JWK set (RFC 7517) at a loopback URL. Make one with
// [NewSigner]. Its methods are safe for concurrent use.
type Signer struct {
	t      testing.TB
	server *httptest.Server

	mu      sync.Mutex
	key     *ecdsa.PrivateKey
	number  int // of the key; part of its kid
	fetches int
	down    bool
}

// NewSigner makes a key and serves it; it ends with the test.
func NewSigner(t testing.TB) *Signer {
	t.Helper()
	s := &Signer{t: t}
	s.Rotate()
	s.server = httptest.NewServer(http.HandlerFunc(s.serveKeys))
	t.Cleanup(s.server.Close)
	return s
}

// Issuer is the iss of the tokens.
func (s *Signer) Issuer() string { return s.server.URL }

// JWKSURL is where the key set is served.
func (s *Signer) JWKSURL() string { return s.server.URL + "/jwks" }

// Sign returns a token with the claims. iss, iat and exp (in an hour) are
// filled in where the claims do not name them; a claim that is nil is left out,
// which is how a token without exp is made.
func (s *Signer) Sign(claims map[string]any) string {
	s.t.Helper()
	return s.SignAs(jwt.SigningMethodES256, claims)
}

// SignAs is Sign with another algorithm of the JWA registry, for tokens that
// must be refused. [jwt.SigningMethodNone] signs with nothing, the HMAC ones
// with the public key in PEM as the secret, as a key confusion attack does.
func (s *Signer) SignAs(method jwt.SigningMethod, claims map[string]any) string {
	s.t.Helper()
	now := time.Now()
	all := jwt.MapClaims{"iss": s.Issuer(), "iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	s.mu.Lock()
	key, kid := s.key, s.kidLocked()
	s.mu.Unlock()
	token := jwt.NewWithClaims(method, all)
	token.Header["kid"] = kid
	signed, err := token.SignedString(s.secret(method, key))
	if err != nil {
		s.t.Fatalf("sign a token with %s: %v", method.Alg(), err)
	}
	return signed
}

// PublicKeyPEM is the current public key as a PKIX PEM block.
func (s *Signer) PublicKeyPEM() []byte {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pem(s.key)
}

// Rotate replaces the key by a new one with a new kid. Tokens of the old key
// are worthless from then on, for those who fetch the set again.
func (s *Signer) Rotate() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatalf("make a key: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
	s.number++
}

// SetDown makes the key set unavailable (503) or available again.
func (s *Signer) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Fetches returns how often the key set was asked for.
func (s *Signer) Fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

func (s *Signer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.fetches++
	down, set := s.down, s.keySetLocked()
	s.mu.Unlock()
	if down {
		http.Error(w, "down by script", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = io.WriteString(w, set)
}

// keySetLocked writes the key by RFC 7518 §6.2: two 32-byte coordinates.
func (s *Signer) keySetLocked() string {
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		panic("BUG: the signer's key is invalid: " + err.Error())
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":%q,"x":%q,"y":%q}]}`,
		s.kidLocked(), b64(point[1:33]), b64(point[33:]))
}

func (s *Signer) kidLocked() string { return fmt.Sprintf("key-%d", s.number) }

// secret is what the method signs with.
func (s *Signer) secret(method jwt.SigningMethod, key *ecdsa.PrivateKey) any {
	s.t.Helper()
	switch method.(type) {
	case *jwt.SigningMethodECDSA:
		return key
	case *jwt.SigningMethodHMAC:
		return s.pem(key)
	default:
		return jwt.UnsafeAllowNoneSignatureType
	}
}

func (s *Signer) pem(key *ecdsa.PrivateKey) []byte {
	s.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		s.t.Fatalf("encode the public key: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
