package proxy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
	"sark/proxy"
)

// withResource makes a gateway an OAuth protected resource.
func withResource(s *setup) {
	s.Resources = []string{"https://mcp.example/desk/mcp"}
	s.AuthorizationServers = []string{"https://idp.example", "https://idp2.example"}
}

// TestInboundMetadata: the description of the protected resource (RFC 9728) is at the root and at the path of each
// endpoint, for everybody, without a decision and with an event.
func TestInboundMetadata(t *testing.T) {
	g := newGateway(t, withResource)
	want := `{"resource":"https://mcp.example/desk/mcp","authorization_servers":["https://idp.example","https://idp2.example"],"bearer_methods_supported":["header"]}`
	for i, path := range []string{"", "/mcp", "/desk/mcp"} {
		c := g.Dial(t)
		c.Send("GET", "/.well-known/oauth-protected-resource"+path, "")
		r := c.ReadReply()
		if d := cmp.Diff(want, r.Body); d != "" || r.Status != 200 {
			t.Errorf("%s: status %d (-want +got):\n%s", path, r.Status, d)
		}
		e := g.AwaitEvents(t, i+1)[i]
		if e.Action != "metadata:read" || e.UserID != "anonymous" || !e.Success || e.Decision != "" {
			t.Errorf("%s: event %+v", path, e)
		}
	}
	c := g.Dial(t)
	c.Send("POST", "/.well-known/oauth-protected-resource", "{}", "Content-Type: application/json")
	if r := c.ReadReply(); r.Status != 405 || r.Header.Value("Allow") != "GET, HEAD" {
		t.Errorf("POST: status %d, Allow %q", r.Status, r.Header.Value("Allow"))
	}
	c.Send("GET", "/.well-known/oauth-authorization-server", "")
	if r := c.ReadReply(); r.Status != 404 {
		t.Errorf("metadata of an authorization server: status %d", r.Status)
	}
	if asked := g.Asked.Take(); len(asked) > 0 {
		t.Errorf("the policy was asked: %v", asked)
	}
}

// TestInboundChallenge: a refused caller learns where to read how to get a token, also when it sends a Host made to break
// out of the header.
func TestInboundChallenge(t *testing.T) {
	g := newGateway(t, func(s *setup) {
		withResource(s)
		s.AllowedHosts = []string{"*"}
	})
	metadata := func(host string) string {
		return `resource_metadata="http://` + host + `/.well-known/oauth-protected-resource/mcp"`
	}
	tests := []struct{ name, host, credential, want string }{
		{"none", "gateway.example", "", "Bearer " + metadata("gateway.example")},
		{"refused", "gateway.example:8080", "Authorization: Bearer nonsense", `Bearer error="invalid_token", ` + metadata("gateway.example:8080")},
		{"basic", "gateway.example", "Authorization: Basic dTpw", `Bearer error="invalid_token", ` + metadata("gateway.example")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := g.Dial(t)
			lines := "POST /mcp HTTP/1.1\r\nHost: " + tt.host + "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
			if tt.credential != "" {
				lines += tt.credential + "\r\n"
			}
			c.Write(lines + "\r\n{}")
			r := c.ReadReply()
			if d := cmp.Diff(tt.want, r.Header.Value("WWW-Authenticate")); d != "" || r.Status != 401 {
				t.Errorf("status %d; challenge (-want +got):\n%s", r.Status, d)
			}
		})
	}
}

// TestInboundAnonymous: where anonymous callers are allowed, no credential is one and a wrong credential is none.
func TestInboundAnonymous(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.Anonymous = true })
	c := g.Dial(t)
	c.Post("/mcp", allowedCall)
	if r := c.ReadReply(); r.Status != 200 {
		t.Errorf("without credential: status %d: %s", r.Status, r.Body)
	}
	c.Post("/mcp", allowedCall, "X-API-Key: nonsense")
	if r := c.ReadReply(); r.Status != 401 {
		t.Errorf("with a wrong one: status %d: %s", r.Status, r.Body)
	}
	c.Post("/mcp", allowedCall, "X-API-Key:")
	if r := c.ReadReply(); r.Status != 401 {
		t.Errorf("with an empty one: status %d: %s", r.Status, r.Body)
	}
	events := g.Events()
	if e := events[0]; e.UserID != "anonymous" || e.AuthMethod != "anonymous" || e.PrincipalType != "anonymous" {
		t.Errorf("event of the anonymous caller: %+v", e)
	}
	for _, e := range events[1:] {
		if e.UserID != "" || e.AuthMethod != "none" || e.ClassUID != 3002 {
			t.Errorf("event of a refused credential: %+v", e)
		}
	}
}

// TestInboundNeverRecordsCredentials: neither replies nor events hold any part of a credential.
func TestInboundNeverRecordsCredentials(t *testing.T) {
	g := newGateway(t, nil)
	secret := "sark_analyst_" + strings.Repeat("q", 39) + "!"
	c := g.Dial(t)
	for _, line := range []string{"Authorization: Bearer " + secret, "X-API-Key: " + secret, "Authorization: Basic " + secret} {
		c.Post("/mcp", allowedCall, line)
		r := c.ReadReply()
		if r.Status != 401 || strings.Contains(r.Body, "qqq") {
			t.Errorf("%s: status %d: %s", line, r.Status, r.Body)
		}
	}
	for _, line := range normalize(t, g.Events()) {
		if strings.Contains(string(line), "qqq") {
			t.Errorf("event %s holds the credential", line)
		}
	}
}

// TestInboundPassthrough: other paths of a server are open only when they are named, and are decided as plain HTTP.
func TestInboundPassthrough(t *testing.T) {
	g := newGateway(t, func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Passthrough = []string{"/healthz"} }
	})
	g.Upstream.On("GET", sayFine)
	c := g.Dial(t)
	c.Send("GET", "/healthz?deep=1", "", bearer("analyst"))
	if r := c.ReadReply(); r.Status != 200 || r.Body != "fine" {
		t.Errorf("status %d: %s", r.Status, r.Body)
	}
	c.Send("DELETE", "/healthz", "", bearer("analyst"))
	if r := c.ReadReply(); r.Status != 403 {
		t.Errorf("DELETE: status %d: %s", r.Status, r.Body)
	}
	want := []question{
		{Phase: "call", Action: "http:get", Principal: "analyst@example.com", Era: "legacy", Resource: "path /healthz", Name: "/healthz", Server: "desk", Allow: true},
		{Phase: "call", Action: "http:delete", Principal: "analyst@example.com", Era: "legacy", Resource: "path /healthz", Name: "/healthz", Server: "desk"},
	}
	if d := cmp.Diff(want, g.Asked.Take()); d != "" {
		t.Errorf("questions (-want +got):\n%s", d)
	}
	requests := g.Upstream.AwaitRequests(t, 1)
	if len(requests) != 1 || requests[0].Target != "/healthz?deep=1" {
		t.Errorf("the upstream got %+v", requests)
	}
	if n := len(g.Events()); n != 2 {
		t.Errorf("%d events for 2 requests", n)
	}
}

// sayFine answers a plain request.
func sayFine(x *testkit.Exchange, _ testkit.Message) { x.Reply(200, "fine") }
