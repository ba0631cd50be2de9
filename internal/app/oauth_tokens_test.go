package app_test

import (
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// answer is what a client sees of the check of its credential.
type answer struct {
	Status    int
	Challenge string
}

// ask calls a tool with a token, on a connection of its own.
func (g resourceServer) ask(t *testing.T, token string) answer {
	t.Helper()
	r := over(g.Proxy, "").do(t, "POST", "/desk/mcp", toolCall("search_tickets"), "Authorization: Bearer "+token)
	return answer{r.Status, r.Header.Get("WWW-Authenticate")}
}

// TestOAuthMetadata: both well-known paths describe the endpoint that clients dial, and nothing of an authorization server is
// served beside them.
func TestOAuthMetadata(t *testing.T) {
	signer := testkit.NewSigner(t)
	g := protect(t, signer.Issuer(), signer.JWKSURL())
	type document struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
		Methods  []string `json:"bearer_methods_supported"`
	}
	want := document{g.endpoint, []string{signer.Issuer()}, []string{"resource:read"}, []string{"header"}}
	for _, path := range []string{"/.well-known/oauth-protected-resource/desk/mcp", "/.well-known/oauth-protected-resource"} {
		var got document
		over(g.Proxy, "").get(t, path).decode(t, &got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/authorize"} {
		if r := over(g.Proxy, "").get(t, path); r.Status != 404 {
			t.Errorf("%s: status %d, want 404", path, r.Status)
		}
	}
}

// TestOAuthRefusals sends tokens that are each wrong in one way. The client is told that the token is invalid and no more.
func TestOAuthRefusals(t *testing.T) {
	signer, stranger := testkit.NewSigner(t), testkit.NewSigner(t)
	g := protect(t, signer.Issuer(), signer.JWKSURL())
	with := func(changes map[string]any) map[string]any {
		claims := map[string]any{"sub": "ada", "aud": g.endpoint, "roles": []string{"analyst"}}
		for name, value := range changes {
			claims[name] = value
		}
		return claims
	}
	if diff := cmp.Diff(answer{200, ""}, g.ask(t, signer.Sign(with(nil)))); diff != "" {
		t.Fatalf("a good token (-want +got):\n%s", diff)
	}
	refused := answer{401, `Bearer error="invalid_token", resource_metadata="http://` + g.Proxy +
		`/.well-known/oauth-protected-resource/desk/mcp", scope="resource:read"`}
	for name, token := range map[string]string{
		"expired":                signer.Sign(with(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
		"not yet valid":          signer.Sign(with(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})),
		"without an end":         signer.Sign(with(map[string]any{"exp": nil})),
		"another audience":       signer.Sign(with(map[string]any{"aud": "https://other.example/mcp"})),
		"no audience":            signer.Sign(with(map[string]any{"aud": nil})),
		"another issuer's claim": signer.Sign(with(map[string]any{"iss": stranger.Issuer()})),
		"another issuer's key":   stranger.Sign(with(map[string]any{"iss": signer.Issuer()})),
		"alg none":               signer.SignAs(jwt.SigningMethodNone, with(nil)),
		"HMAC by the public key": signer.SignAs(jwt.SigningMethodHS256, with(nil)),
		"no token":               "opaque",
	} {
		if diff := cmp.Diff(refused, g.ask(t, token)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestOAuthKeys follows the issuer's keys: a new one is fetched once, however many tokens bring it up, the old one ends with
// that, and an issuer that is out of reach changes nothing for the keys that are known.
func TestOAuthKeys(t *testing.T) {
	signer := testkit.NewSigner(t)
	g := protect(t, signer.Issuer(), signer.JWKSURL())
	token := func() string {
		return signer.Sign(map[string]any{"sub": "ada", "aud": g.endpoint, "roles": []string{"analyst"}, "jti": time.Now().String()})
	}
	old := token()
	if got := g.ask(t, old); got.Status != 200 {
		t.Fatalf("a token of the first key: %+v", got)
	}
	before := signer.Fetches()
	signer.Rotate()
	var wait sync.WaitGroup
	statuses := make(chan int, 20)
	for range cap(statuses) {
		wait.Go(func() { statuses <- g.ask(t, token()).Status })
	}
	wait.Wait()
	close(statuses)
	for status := range statuses {
		if status != 200 {
			t.Errorf("a token of the second key: status %d", status)
		}
	}
	if n := signer.Fetches() - before; n != 1 {
		t.Errorf("%d fetches for one new key, want 1", n)
	}
	if got := g.ask(t, old); got.Status != 401 {
		t.Errorf("a token of the withdrawn key: %+v", got)
	}

	signer.SetDown(true)
	if got := g.ask(t, token()); got.Status != 200 {
		t.Errorf("while the issuer is down: %+v", got)
	}
	signer.Rotate()
	if got := g.ask(t, token()); got.Status != 401 {
		t.Errorf("a token of a key that cannot be fetched: %+v", got)
	}
}
