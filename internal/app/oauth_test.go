package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"sark/internal/audit"
	"sark/internal/demo"
	"sark/internal/rig"
	"sark/internal/testkit/idp"
)

// resourceServer is a gateway that takes the tokens of an authorization server for one endpoint.
type resourceServer struct {
	*gateway
	dir, endpoint string
}

// protect runs a gateway before the example server.
func protect(t *testing.T, issuer, jwksURL string, more ...string) resourceServer {
	t.Helper()
	dir := dataDir(t)
	address, err := rig.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + address + "/desk/mcp"
	file := configure(t, dir, example(t, false), append(more, fmt.Sprintf(
		"authn: {jwt: {issuer: %q, audience: %q, jwks_url: %q, scopes: [%q]}}", issuer, endpoint, jwksURL, "resource:read"))...)
	return resourceServer{start(t, file, "SARK_PROXY_LISTEN="+address), dir, endpoint}
}

// exchange is one request of a client to the gateway, and how it was answered.
type exchange struct {
	Method, Path string
	Status       int
	Challenge    string
}

// wire is a transport that keeps what a client sends to the gateway's host.
type wire struct {
	host string
	next *http.Transport
	seen chan exchange // buffered for more than a test sends
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	if err == nil && r.URL.Host == w.host {
		w.seen <- exchange{r.Method, r.URL.Path, response.StatusCode, response.Header.Get("WWW-Authenticate")}
	}
	return response, err
}

// requests returns what was sent so far and forgets it.
func (w *wire) requests() []exchange {
	var all []exchange
	for len(w.seen) > 0 {
		all = append(all, <-w.seen)
	}
	return all
}

// connectOAuth connects the official client, which knows the endpoint and its client id and finds out the rest.
func connectOAuth(t *testing.T, g resourceServer) (*mcp.ClientSession, *wire) {
	t.Helper()
	w := &wire{strings.TrimPrefix(strings.TrimSuffix(g.endpoint, "/desk/mcp"), "http://"), &http.Transport{}, make(chan exchange, 100)}
	t.Cleanup(w.next.CloseIdleConnections)
	web := &http.Client{Transport: w}
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient: &oauthex.ClientCredentials{ClientID: idp.Client},
		RedirectURL:         idp.RedirectURL,
		Client:              web,
		AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			query, err := idp.Authorize(ctx, args.URL)
			if err != nil {
				return nil, err
			}
			return &auth.AuthorizationResult{Code: query.Get("code"), State: query.Get("state"), Iss: query.Get("iss")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: g.endpoint, HTTPClient: web, OAuthHandler: handler}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("close the session: %v", err)
		}
	})
	return session, w
}

// TestOAuth is the round trip of the official client: from the address alone over the gateway's metadata to a token, and from
// a call that the token's scopes do not cover to a token that covers it. The gateway decides by its default policy.
func TestOAuth(t *testing.T) {
	as := idp.New(t, idp.Options{Subject: "ada", Roles: []string{"service"}, Scopes: []string{"resource:read", "tool:invoke"}})
	g := protect(t, as.Issuer(), as.JWKSURL())
	session, w := connectOAuth(t, g)
	const metadata = "/.well-known/oauth-protected-resource/desk/mcp"
	at := `resource_metadata="http://` + w.host + metadata + `"`
	want := []exchange{
		{"POST", "/desk/mcp", 401, "Bearer " + at + `, scope="resource:read"`},
		{"GET", metadata, 200, ""},
		{"POST", "/desk/mcp", 200, ""},
	}
	if diff := cmp.Diff(want, w.requests()); diff != "" {
		t.Errorf("the client connects (-want +got):\n%s", diff)
	}

	if got := callTool(t, session, demo.SearchTickets, map[string]any{"query": "lamp"}); !strings.Contains(got, "T-100") {
		t.Errorf("search found %q, want ticket T-100", got)
	}

	want = []exchange{
		{"POST", "/desk/mcp", 403, `Bearer error="insufficient_scope", scope="tool:invoke", ` + at +
			`, error_description="the token lacks a scope that this request needs"`},
		{"GET", metadata, 200, ""},
		{"POST", "/desk/mcp", 200, ""},
	}
	if diff := cmp.Diff(want, w.requests()); diff != "" {
		t.Errorf("the client steps up (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"resource:read"}, {"resource:read", "tool:invoke"}}, as.Asked()); diff != "" {
		t.Errorf("scopes that the client asked for (-want +got):\n%s", diff)
	}
	g.stop(t)
	denied, allowed := callsOf(t, g.dir, demo.SearchTickets)
	if len(denied) != 1 || len(allowed) != 1 || denied[0].UserID != "ada" || denied[0].ArgumentsHash == "" || denied[0].ArgumentsHash != allowed[0].ArgumentsHash {
		t.Errorf("events: denied %+v, allowed %+v; want one each of ada, with one digest", denied, allowed)
	}
}

// callsOf returns the events of a tool.
func callsOf(t *testing.T, dir, tool string) (denied, allowed []audit.Event) {
	t.Helper()
	for _, e := range stored(t, dir) {
		switch {
		case e.ToolName != tool:
		case e.Outcome == audit.OutcomeDenied:
			denied = append(denied, e)
		default:
			allowed = append(allowed, e)
		}
	}
	return denied, allowed
}

// TestDeniedCallOfOAuthClient: the official client sends a call again when a 403 does not ask for scopes. Such a call is
// decided and recorded twice, with one digest of its arguments, never runs, and counts against no quota.
func TestDeniedCallOfOAuthClient(t *testing.T) {
	as := idp.New(t, idp.Options{Subject: "ada", Roles: []string{"analyst"}, Scopes: []string{"resource:read"}})
	g := protect(t, as.Issuer(), as.JWKSURL(), "limits: {tool_rate: 1, tool_burst: 1}")
	session, w := connectOAuth(t, g)
	if _, err := session.ListTools(t.Context(), nil); err != nil { // tells the client which arguments go into headers
		t.Fatal(err)
	}
	w.requests()
	refund := func(amount int) error {
		_, err := session.CallTool(t.Context(), &mcp.CallToolParams{
			Name: demo.RefundOrder, Arguments: map[string]any{"order_id": "O-3", "amount": amount, "reason": "x"},
		})
		return err
	}

	if err := refund(500); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("the denied refund: %v", err)
	}
	again := exchange{"POST", "/desk/mcp", 403, ""}
	if diff := cmp.Diff([]exchange{again, again}, w.requests()); diff != "" {
		t.Errorf("requests of the denied call (-want +got):\n%s", diff)
	}
	if err := refund(5); err != nil {
		t.Errorf("the denied calls used up the quota of one: %v", err)
	}
	if err := refund(5); err == nil {
		t.Error("there is no quota, so that the test shows nothing")
	}
	if got := callTool(t, session, demo.RunReport, map[string]any{"name": "refunds"}); !strings.Contains(got, `"O-3":5`) {
		t.Errorf("refunds are %s, want 5 for O-3", got)
	}
	if diff := cmp.Diff([][]string{{"resource:read"}}, as.Asked()); diff != "" {
		t.Errorf("scopes that the client asked for (-want +got):\n%s", diff)
	}
	g.stop(t)
	denied, _ := callsOf(t, g.dir, demo.RefundOrder)
	var hashes []string
	for _, e := range denied {
		if e.Rule != "rate_limit" {
			hashes = append(hashes, e.ArgumentsHash)
		}
	}
	if len(hashes) != 2 || hashes[0] == "" || hashes[0] != hashes[1] {
		t.Errorf("digests of the denied calls: %q, want one digest twice", hashes)
	}
}
