package testkit_test

import (
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// verify checks a token as a relying party would: keys from the URL, ES256.
func verify(t *testing.T, s *testkit.Signer, token string) error {
	t.Helper()
	keys, err := keyfunc.NewDefaultOverrideCtx(t.Context(), []string{s.JWKSURL()}, keyfunc.Override{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = jwt.Parse(token, keys.Keyfunc, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(s.Issuer()), jwt.WithExpirationRequired())
	return err
}

func TestSignerTokensVerifyUntilTheKeyIsRotated(t *testing.T) {
	s := testkit.NewSigner(t)
	token := s.Sign(map[string]any{"sub": "ada"})
	if err := verify(t, s, token); err != nil {
		t.Errorf("a fresh token: %v", err)
	}
	s.Rotate()
	if err := verify(t, s, token); err == nil {
		t.Error("a token of the old key verified")
	}
	if err := verify(t, s, s.Sign(nil)); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if s.Fetches() < 3 {
		t.Errorf("%d fetches counted, want at least 3", s.Fetches())
	}
}

func TestSignerMakesTokensToRefuse(t *testing.T) {
	s := testkit.NewSigner(t)
	tokens := map[string]string{
		"none":          s.SignAs(jwt.SigningMethodNone, nil),
		"key confusion": s.SignAs(jwt.SigningMethodHS256, nil),
		"no exp":        s.Sign(map[string]any{"exp": nil}),
		"other issuer":  s.Sign(map[string]any{"iss": "https://elsewhere.example"}),
		"other signer":  testkit.NewSigner(t).Sign(map[string]any{"iss": s.Issuer()}),
	}
	for name, token := range tokens {
		if err := verify(t, s, token); err == nil {
			t.Errorf("the token %q verified", name)
		}
	}
}

func TestSignerKeyInPEMVerifiesItsTokens(t *testing.T) {
	s := testkit.NewSigner(t)
	key, err := jwt.ParseECPublicKeyFromPEM(s.PublicKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Parse(s.Sign(map[string]any{"sub": "ada"}), func(*jwt.Token) (any, error) { return key, nil })
	if err != nil {
		t.Fatal(err)
	}
	subject, err := token.Claims.GetSubject()
	if diff := cmp.Diff("ada", subject); diff != "" || err != nil {
		t.Errorf("subject (-want +got):\n%s%v", diff, err)
	}
}

func TestSignerCanBeDown(t *testing.T) {
	s := testkit.NewSigner(t)
	s.SetDown(true)
	c := testkit.Dial(t, s.Issuer())
	c.Send("GET", "/jwks", "")
	if got := c.ReadReply().Status; got != 503 {
		t.Errorf("status %d while down", got)
	}
	s.SetDown(false)
	c.Send("GET", "/jwks", "")
	if got := c.ReadReply().Status; got != 200 {
		t.Errorf("status %d when up again", got)
	}
}
