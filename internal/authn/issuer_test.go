package authn_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sark/internal/authn"
)

const (
	issuerName = "https://idp.example"
	audience   = "https://mcp.example/github/mcp"
)

// noon is the time on the clock of tests that do not need a real one.
var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// signer is a private key with the name that the issuer publishes it under.
type signer struct {
	kid    string
	method jwt.SigningMethod
	key    crypto.Signer
}

// testKeys are made once: RSA keys take their time.
var testKeys = sync.OnceValue(func() map[string]signer {
	rsa1, err1 := rsa.GenerateKey(rand.Reader, 2048)
	rsa2, err2 := rsa.GenerateKey(rand.Reader, 2048)
	p256, err3 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err4 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, err5 := ed25519.GenerateKey(rand.Reader)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			panic(err)
		}
	}
	return map[string]signer{
		"rsa":   {"rsa", jwt.SigningMethodRS256, rsa1},
		"pss":   {"rsa", jwt.SigningMethodPS256, rsa1},
		"other": {"other", jwt.SigningMethodRS256, rsa2},
		"p256":  {"p256", jwt.SigningMethodES256, p256},
		"p384":  {"p384", jwt.SigningMethodES384, p384},
		"ed":    {"ed", jwt.SigningMethodEdDSA, ed},
	}
})

// claims are those of a good token, changed by what is given; nil removes one.
func claims(changes map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": issuerName, "aud": audience, "sub": "alice", "exp": noon.Add(time.Hour).Unix(), "iat": noon.Unix(),
		"roles": []string{"analyst"}, "teams": []string{"platform"}, "scope": "mcp:read mcp:call",
	}
	for name, v := range changes {
		if v == nil {
			delete(c, name)
			continue
		}
		c[name] = v
	}
	return c
}

// sign makes a token of the claims; header changes as claims do.
func (s signer) sign(t testing.TB, c jwt.MapClaims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, c)
	token.Header["kid"] = s.kid
	for name, v := range header {
		if v == nil {
			delete(token.Header, name)
			continue
		}
		token.Header[name] = v
	}
	signed, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// pem returns the public key in PEM.
func (s signer) pem(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// jwk returns the public key as a member of a JWKS document.
func (s signer) jwk() map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := s.key.Public().(type) {
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "kid": s.kid, "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		size := (k.Params().BitSize + 7) / 8
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		return map[string]any{"kty": "EC", "kid": s.kid, "crv": k.Params().Name, "x": b64(point[1 : 1+size]), "y": b64(point[1+size:])}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "kid": s.kid, "crv": "Ed25519", "alg": "EdDSA", "x": b64(k)}
	}
	panic("a key of another kind")
}

// jwks returns a JWKS document.
func jwks(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	doc, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// issuer is a real JWKS server on a loopback address. What it answers can be changed while it runs.
type issuer struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc]
	fetches atomic.Int64
	fetched chan struct{} // capacity 64; a fetch is not announced when full
}

func newIssuer(t testing.TB, keys ...map[string]any) *issuer {
	t.Helper()
	i := &issuer{fetched: make(chan struct{}, 64)}
	i.publish(t, keys...)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		select {
		case i.fetched <- struct{}{}:
		default:
		}
		(*i.answer.Load())(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

// do sets the answer.
func (i *issuer) do(f http.HandlerFunc) { i.answer.Store(&f) }

// publish makes the issuer answer with these keys.
func (i *issuer) publish(t testing.TB, keys ...map[string]any) {
	doc := jwks(t, keys...)
	i.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(doc) })
}

// awaitFetches waits for n fetches to begin from now on.
func (i *issuer) awaitFetches(t testing.TB, n int) {
	t.Helper()
	for len(i.fetched) > 0 {
		<-i.fetched
	}
	for range n {
		select {
		case <-i.fetched:
		case <-time.After(10 * time.Second):
			t.Fatal("the keys are not fetched again")
		}
	}
}

// newAuthenticator makes an Authenticator that is closed at the end of the test.
func newAuthenticator(t testing.TB, o authn.Options) *authn.Authenticator {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	a, err := authn.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// present authenticates with a bearer token.
func present(t testing.TB, a *authn.Authenticator, token string) (*authn.Principal, error) {
	t.Helper()
	p, err := a.Authenticate(context.Background(), authn.Credentials{Authorization: []byte("Bearer " + token)})
	if (p == nil) == (err == nil) {
		t.Fatalf("Authenticate = %v, %v: neither or both", p, err)
	}
	return p, err
}

// code returns the code of a refusal, "" for none.
func code(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	return authn.CodeOf(err)
}
