package proxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"sark/internal/authn"
	"sark/internal/testkit"
	"sark/proxy"
)

// tokenServer is the token endpoint of an authorization server. It answers every exchange with the same reply.
type tokenServer struct {
	*httptest.Server
	mu     sync.Mutex // guards what follows
	status int
	reply  string
	forms  []url.Values
}

func newTokenServer(t *testing.T, status int, reply string) *tokenServer {
	t.Helper()
	s := &tokenServer{status: status, reply: reply}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if id, secret, _ := r.BasicAuth(); id != "gateway" || secret != "s3cret" {
			t.Errorf("the client is %q with %q", id, secret)
		}
		s.forms = append(s.forms, r.PostForm)
		if s.status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(s.status)
		_, _ = fmt.Fprint(w, s.reply)
	}))
	t.Cleanup(s.Close)
	return s
}

// asked returns the forms that were sent.
func (s *tokenServer) asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forms
}

const goodToken = `{"access_token":"for-desk","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":100}`

// exchanging sets a gateway up whose server wants exchanged tokens, and returns a token of a caller.
func exchanging(t *testing.T, s *setup, tokens *tokenServer) (token string) {
	t.Helper()
	issuer := testkit.NewSigner(t)
	a, err := authn.New(authn.Options{
		JWT:     &authn.JWTOptions{Issuer: issuer.Issuer(), Audience: []string{"gateway"}, Key: issuer.PublicKeyPEM()},
		APIKeys: []authn.APIKey{{ID: "analyst", Hash: authn.HashSecret(secretOf("analyst")), Subject: "key", Roles: []string{"analyst"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	s.Authenticator = a
	s.Server = func(o *proxy.ServerOptions) {
		o.Upstream.Exchange = proxy.ExchangeOptions{
			TokenURL: tokens.URL + "/token", ClientID: "gateway", ClientSecret: "s3cret", Resource: "https://desk.example/mcp", Scope: "mcp",
		}
	}
	return issuer.Sign(map[string]any{"sub": "ada", "aud": "gateway", "roles": []string{"analyst"}})
}

// TestExchange calls with one token twice, and once more when what was got for it has ended.
func TestExchange(t *testing.T) {
	t.Parallel()
	tokens, k := newTokenServer(t, 200, goodToken), &clock{}
	var token string
	g := newGateway(t, permissive(func(s *setup) {
		s.Now = k.Now
		token = exchanging(t, s, tokens)
	}))
	c := g.Dial(t)
	call := func() {
		t.Helper()
		c.Post("/mcp", toolCall, "Authorization: Bearer "+token)
		diff(t, "status", 200, c.ReadReply().Status)
	}
	call()
	call()
	diff(t, "exchanges", 1, len(tokens.asked()))
	k.Advance(2 * time.Minute)
	call()

	want := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:access_token"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"resource":             {"https://desk.example/mcp"}, "scope": {"mcp"},
	}
	diff(t, "forms", []url.Values{want, want}, tokens.asked())
	for _, r := range g.Upstream.Requests() {
		diff(t, "credential", []string{"Authorization: Bearer for-desk"}, headers(r.Header, "Authorization", "X-Api-Key"))
	}
}

// TestExchangeIsSharedByCallers lets callers with one token come at once: one exchange is made.
func TestExchangeIsSharedByCallers(t *testing.T) {
	t.Parallel()
	tokens := newTokenServer(t, 200, goodToken)
	var token string
	g := newGateway(t, permissive(func(s *setup) { token = exchanging(t, s, tokens) }))
	clients := make([]*testkit.RawClient, 8)
	for i := range clients {
		clients[i] = g.Dial(t)
		clients[i].Post("/mcp", toolCall, "Authorization: Bearer "+token)
	}
	for _, c := range clients {
		diff(t, "status", 200, c.ReadReply().Status)
	}
	diff(t, "exchanges", 1, len(tokens.asked()))
}

// TestStaticToken replaces the caller's credential, whatever it is.
func TestStaticToken(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Upstream.Token = "fixed" }
	}))
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	diff(t, "status", 200, c.ReadReply().Status)
	c.Post("/mcp", toolCall, "X-API-Key: "+keyFor("admin"))
	diff(t, "status", 200, c.ReadReply().Status)
	for _, r := range g.Upstream.Requests() {
		diff(t, "credential", []string{"Authorization: Bearer fixed"}, headers(r.Header, "Authorization", "X-Api-Key"))
	}
}

// failedExchanges are the rows of the failure table about tokens for servers.
func failedExchanges() map[string]failure {
	row := func(status int, reply string) failure {
		var token string
		return failure{
			setup: func(t *testing.T, s *setup) { token = exchanging(t, s, newTokenServer(t, status, reply)) },
			send:  func(c *testkit.RawClient) { c.Post("/mcp", allowedCall, "Authorization: Bearer "+token) },
			dead:  true,
		}
	}
	none := row(200, goodToken)
	none.send = nil
	return map[string]failure{
		"exchange-none": none, "exchange-refused": row(400, `{"error":"invalid_grant"}`), "exchange-failed": row(302, goodToken),
	}
}
