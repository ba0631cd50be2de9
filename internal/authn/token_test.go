package authn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"sark/internal/authn"
)

// tokenAuthenticator accepts tokens signed by the keys named.
func tokenAuthenticator(t testing.TB, change func(*authn.JWTOptions), names ...string) *authn.Authenticator {
	t.Helper()
	var keys []map[string]any
	for _, name := range names {
		keys = append(keys, testKeys()[name].jwk())
	}
	o := authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: jwks(t, keys...)}
	if change != nil {
		change(&o)
	}
	return newAuthenticator(t, authn.Options{JWT: &o})
}

func TestTokens(t *testing.T) {
	keys := testKeys()
	a := tokenAuthenticator(t, nil, "rsa", "p256", "p384", "ed")
	good := claims(nil)
	with := func(name string, v any) string { return keys["rsa"].sign(t, claims(map[string]any{name: v}), nil) }
	header := func(name string, v any) string { return keys["rsa"].sign(t, good, map[string]any{name: v}) }
	in := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	raw := func(header, payload string) string {
		b64 := base64.RawURLEncoding.EncodeToString
		return b64([]byte(header)) + "." + b64([]byte(payload)) + "." + b64([]byte("signature"))
	}
	hmac := func(secret []byte) string {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, good)
		token.Header["kid"] = "rsa"
		s, err := token.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	none := func() string {
		s, err := jwt.NewWithClaims(jwt.SigningMethodNone, good).SignedString(jwt.UnsafeAllowNoneSignatureType)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	signed := keys["rsa"].sign(t, good, nil)
	parts := strings.Split(signed, ".")
	otherParts := strings.Split(with("sub", "mallory"), ".")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct{ name, token, want string }{
		{"RS256", signed, ""},
		{"PS256", keys["pss"].sign(t, good, nil), ""},
		{"ES256", keys["p256"].sign(t, good, nil), ""},
		{"ES384", keys["p384"].sign(t, good, nil), ""},
		{"EdDSA", keys["ed"].sign(t, good, nil), ""},
		{"no kid", header("kid", nil), ""},
		{"typ at+jwt", header("typ", "at+jwt"), ""},
		{"typ as a media type", header("typ", "application/AT+JWT"), ""},
		{"no typ", header("typ", nil), ""},
		{"one audience of two", with("aud", []string{"https://other.example", audience}), ""},
		{"expired within the leeway", with("exp", in(-29*time.Second)), ""},
		{"not yet valid within the leeway", with("nbf", in(29*time.Second)), ""},

		{"none", none(), authn.CodeInvalidToken},
		{"none, in another case", raw(`{"alg":"nOnE"}`, `{}`), authn.CodeInvalidToken},
		{"HMAC of the PEM key", hmac(keys["rsa"].pem(t)), authn.CodeInvalidToken},
		{"HMAC of the JWK", hmac([]byte(keys["rsa"].jwk()["n"].(string))), authn.CodeInvalidToken},
		{"HMAC of nothing", hmac([]byte{}), authn.CodeInvalidToken},
		{"unknown algorithm", raw(`{"alg":"XS256"}`, `{}`), authn.CodeInvalidToken},
		{"no algorithm", raw(`{}`, `{}`), authn.CodeInvalidToken},
		{"algorithm a number", raw(`{"alg":256}`, `{}`), authn.CodeInvalidToken},
		{"unknown kid", header("kid", "missing"), authn.CodeInvalidToken},
		{"kid of another key", header("kid", "p256"), authn.CodeInvalidToken},
		{"key that is not published", keys["other"].sign(t, good, map[string]any{"kid": "rsa"}), authn.CodeInvalidToken},
		{"ES256 with a kid of P-384", signer{"p384", jwt.SigningMethodES256, foreign}.sign(t, good, nil), authn.CodeInvalidToken},
		{"key in the header", signer{"x", jwt.SigningMethodES256, foreign}.sign(t, good, map[string]any{
			"kid": nil, "jwk": signer{"x", jwt.SigningMethodES256, foreign}.jwk(),
		}), authn.CodeInvalidToken},
		{"small RSA key", signer{"rsa", jwt.SigningMethodRS256, small}.sign(t, good, nil), authn.CodeInvalidToken},
		{"identity assertion grant", header("typ", "oauth-id-jag+jwt"), authn.CodeInvalidToken},
		{"the same as a media type", header("typ", "application/OAuth-ID-JAG+jwt"), authn.CodeInvalidToken},
		{"logout token", header("typ", "logout+jwt"), authn.CodeInvalidToken},
		{"DPoP proof", header("typ", "dpop+jwt"), authn.CodeInvalidToken},
		{"typ not a string", header("typ", 7), authn.CodeInvalidToken},
		{"critical extension", header("crit", []string{"exp"}), authn.CodeInvalidToken},

		{"expired", with("exp", in(-31*time.Second)), authn.CodeExpiredToken},
		{"expired in 1970", with("exp", 1), authn.CodeExpiredToken},
		{"no exp", with("exp", nil), authn.CodeInvalidToken},
		{"exp zero", with("exp", 0), authn.CodeExpiredToken},
		{"exp a string", with("exp", "9999999999"), authn.CodeInvalidToken},
		{"not yet valid", with("nbf", in(31*time.Second)), authn.CodeInvalidToken},
		{"nbf a string", with("nbf", "soon"), authn.CodeInvalidToken},
		{"other issuer", with("iss", "https://evil.example"), authn.CodeInvalidToken},
		{"issuer with a slash", with("iss", issuerName+"/"), authn.CodeInvalidToken},
		{"no issuer", with("iss", nil), authn.CodeInvalidToken},
		{"issuer a list", with("iss", []string{issuerName}), authn.CodeInvalidToken},
		{"other audience", with("aud", "https://other.example"), authn.CodeInvalidToken},
		{"longer audience", with("aud", audience+"/admin"), authn.CodeInvalidToken},
		{"no audience", with("aud", nil), authn.CodeInvalidToken},
		{"empty audience", with("aud", []string{}), authn.CodeInvalidToken},
		{"audience an object", with("aud", map[string]any{audience: true}), authn.CodeInvalidToken},
		{"no subject", with("sub", nil), authn.CodeInvalidToken},
		{"subject a number", with("sub", 7), authn.CodeInvalidToken},
		{"subject with a line break", with("sub", "alice\r\nX-Sark-Roles: admin"), authn.CodeInvalidToken},
		{"huge subject", with("sub", strings.Repeat("a", 600)), authn.CodeInvalidToken},
		{"roles an object", with("roles", map[string]any{"admin": true}), authn.CodeInvalidToken},
		{"role a number", with("roles", []any{"analyst", 7}), authn.CodeInvalidToken},
		{"bound to a key", with("cnf", map[string]any{"jkt": "x"}), authn.CodeInvalidToken},

		{"signature of another token", parts[0] + "." + parts[1] + "." + otherParts[2], authn.CodeInvalidToken},
		{"claims of another token", parts[0] + "." + otherParts[1] + "." + parts[2], authn.CodeInvalidToken},
		{"no signature", parts[0] + "." + parts[1] + ".", authn.CodeInvalidToken},
		{"two parts", parts[0] + "." + parts[1], authn.CodeInvalidToken},
		{"four parts", signed + ".x", authn.CodeInvalidToken},
		{"encrypted token", signed + ".x.y", authn.CodeInvalidToken},
		{"padded", signed + "=", authn.CodeInvalidToken},
		{"dots", "...", authn.CodeInvalidToken},
		{"garbage", "\x00\xff\xfe", authn.CodeInvalidToken},
		{"huge", signed + strings.Repeat("A", 1<<20), authn.CodeInvalidToken},
		{"claims not an object", raw(`{"alg":"RS256","kid":"rsa"}`, `[]`), authn.CodeInvalidToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := present(t, a, c.token)
			if got := code(t, err); got != c.want {
				t.Errorf("code %q (%v), want %q", got, err, c.want)
			}
			if err == nil && p.ID != "alice" {
				t.Errorf("principal %q, want alice", p.ID)
			}
		})
	}
}

func TestTokenPrincipal(t *testing.T) {
	a := tokenAuthenticator(t, nil, "ed")
	ed := testKeys()["ed"]
	token := ed.sign(t, claims(map[string]any{"azp": "cli", "email": "alice@example.com", "big": 9007199254740993}), nil)
	got, err := present(t, a, token)
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := got.Claims["big"].(interface{ String() string }); !ok || n.String() != "9007199254740993" {
		t.Errorf("a large number became %v", got.Claims["big"])
	}
	want := &authn.Principal{
		ID: "alice", Type: authn.TypeUser, Method: authn.MethodJWT, Issuer: issuerName, ClientID: "cli", Email: "alice@example.com",
		Roles: []string{"analyst"}, Teams: []string{"platform"}, Scopes: []string{"mcp:read", "mcp:call"},
		Claims: got.Claims, ExpiresAt: noon.Add(time.Hour + 30*time.Second), Fingerprint: got.Fingerprint,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := present(t, a, token)
	if err != nil || again != got {
		t.Errorf("the second time: %p, %v; want the same principal %p", again, err, got)
	}
	other, err := present(t, a, ed.sign(t, claims(map[string]any{"jti": "2"}), nil))
	if err != nil || other.Fingerprint == got.Fingerprint {
		t.Errorf("two tokens have one fingerprint (%v)", err)
	}
}

func TestClaims(t *testing.T) {
	ed := testKeys()["ed"]
	type lists struct {
		ID                   string
		Type                 authn.Type
		Roles, Teams, Scopes []string
	}
	for _, c := range []struct {
		name   string
		names  authn.ClaimNames
		claims map[string]any
		want   lists
	}{
		{
			"nothing",
			authn.ClaimNames{},
			map[string]any{"roles": nil, "teams": nil, "scope": nil},
			lists{"alice", authn.TypeUser, []string{}, []string{}, []string{}},
		},
		{
			"dotted path",
			authn.ClaimNames{Roles: "realm_access.roles", Teams: "groups"},
			map[string]any{"realm_access": map[string]any{"roles": []string{"admin"}}, "groups": []string{"/a/b"}},
			lists{"alice", authn.TypeUser, []string{"admin"}, []string{"/a/b"}, []string{"mcp:read", "mcp:call"}},
		},
		{
			"name with dots",
			authn.ClaimNames{Roles: "https://sark.example/roles"},
			map[string]any{"https://sark.example/roles": []string{"admin"}},
			lists{"alice", authn.TypeUser, []string{"admin"}, []string{"platform"}, []string{"mcp:read", "mcp:call"}},
		},
		{
			"path through a string",
			authn.ClaimNames{Roles: "sub.roles"},
			nil,
			lists{"alice", authn.TypeUser, []string{}, []string{"platform"}, []string{"mcp:read", "mcp:call"}},
		},
		{
			"scp as an array",
			authn.ClaimNames{},
			map[string]any{"scope": nil, "scp": []string{"a", "b"}},
			lists{"alice", authn.TypeUser, []string{"analyst"}, []string{"platform"}, []string{"a", "b"}},
		},
		{
			"a role with a space is one role",
			authn.ClaimNames{},
			map[string]any{"roles": "not admin"},
			lists{"alice", authn.TypeUser, []string{"not admin"}, []string{"platform"}, []string{"mcp:read", "mcp:call"}},
		},
		{
			"client credentials without subject",
			authn.ClaimNames{},
			map[string]any{"sub": nil, "client_id": "job"},
			lists{"job", authn.TypeService, []string{"analyst"}, []string{"platform"}, []string{"mcp:read", "mcp:call"}},
		},
		{
			"client credentials with azp",
			authn.ClaimNames{},
			map[string]any{"sub": "job", "azp": "job"},
			lists{"job", authn.TypeService, []string{"analyst"}, []string{"platform"}, []string{"mcp:read", "mcp:call"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := tokenAuthenticator(t, func(o *authn.JWTOptions) { o.Claims = c.names }, "ed")
			p, err := present(t, a, ed.sign(t, claims(c.claims), nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, lists{p.ID, p.Type, p.Roles, p.Teams, p.Scopes}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRememberedTokenExpires shows that a token that was good is refused when its time has come.
func TestRememberedTokenExpires(t *testing.T) {
	ed := testKeys()["ed"]
	now := noon
	a := newAuthenticator(t, authn.Options{
		JWT: &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: ed.pem(t), Leeway: -1},
		Now: func() time.Time { return now },
	})
	token := ed.sign(t, claims(map[string]any{"exp": noon.Add(time.Minute).Unix()}), nil)
	var got []string
	for range 3 {
		_, err := present(t, a, token)
		got = append(got, code(t, err))
		now = now.Add(30 * time.Second)
	}
	if diff := cmp.Diff([]string{"", "", authn.CodeExpiredToken}, got); diff != "" {
		t.Error(diff)
	}
}

// TestRememberedTokenIsCheckedAgain shows that five minutes are the longest that a token is believed without a look at its
// signature, whatever its exp says: a principal that is another value was made anew.
func TestRememberedTokenIsCheckedAgain(t *testing.T) {
	ed := testKeys()["ed"]
	now := noon
	a := newAuthenticator(t, authn.Options{
		JWT: &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: ed.pem(t)},
		Now: func() time.Time { return now },
	})
	token := ed.sign(t, claims(map[string]any{"exp": noon.Add(24 * time.Hour).Unix()}), nil)
	first, err := present(t, a, token)
	if err != nil {
		t.Fatal(err)
	}
	var same []bool
	for _, later := range []time.Duration{0, 5*time.Minute - 1, 5 * time.Minute} {
		now = noon.Add(later)
		p, err := present(t, a, token)
		if err != nil {
			t.Fatal(err)
		}
		same = append(same, p == first)
	}
	if diff := cmp.Diff([]bool{true, true, false}, same); diff != "" {
		t.Errorf("the remembered principal was used (-want +got):\n%s", diff)
	}
}

func TestAlgorithmsMayBeNarrowed(t *testing.T) {
	a := tokenAuthenticator(t, func(o *authn.JWTOptions) { o.Algorithms = []string{"ES256"} }, "rsa", "p256")
	if _, err := present(t, a, testKeys()["p256"].sign(t, claims(nil), nil)); err != nil {
		t.Error(err)
	}
	if _, err := present(t, a, testKeys()["rsa"].sign(t, claims(nil), nil)); code(t, err) != authn.CodeInvalidToken {
		t.Errorf("RS256: %v", err)
	}
}

func FuzzToken(f *testing.F) {
	ed := testKeys()["ed"]
	a := newAuthenticator(f, authn.Options{JWT: &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: ed.pem(f)}})
	good := ed.sign(f, claims(nil), nil)
	f.Add("")
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFZERTQSIsImNyaXQiOltdfQ.eyJleHAiOjFlOTk5fQ.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := present(t, a, token); err == nil && token != good {
			t.Errorf("a token that nobody signed was accepted: %q", token)
		}
	})
}
