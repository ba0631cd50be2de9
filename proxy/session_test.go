package proxy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sark/internal/session"
	"sark/internal/testkit"
)

// bound is a gateway before a server with sessions, which are bound to who opened them.
func bound(t *testing.T) *gateway {
	t.Helper()
	return newGateway(t, permissive(func(s *setup) {
		s.MCP.Sessions = true
		s.Sessions = newSessions(t)
	}))
}

func newSessions(t *testing.T) *session.Bindings {
	t.Helper()
	b, err := session.New(session.Options{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// lostSessions are bindings whose Redis is gone.
func lostSessions(t *testing.T) *session.Bindings {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: testkit.RefusedAddr(t), ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
	})
	t.Cleanup(func() { _ = client.Close() })
	b, err := session.New(session.Options{TTL: time.Hour, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// begin opens a session as a role and returns its id.
func begin(t *testing.T, g *gateway, role string) string {
	t.Helper()
	c := g.Dial(t)
	c.Post("/mcp", legacyCall("0", "initialize", `"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}`), bearer(role))
	r := c.ReadReply()
	id := r.Header.Value("Mcp-Session-Id")
	if r.Status != 200 || id == "" {
		t.Fatalf("initialize: status %d, session %q, %s", r.Status, id, r.Body)
	}
	return id
}

// TestSessionOfAnotherServer: a server that gives out another one's session makes nobody its owner.
func TestSessionOfAnotherServer(t *testing.T) {
	t.Parallel()
	evil, good := testkit.NewMCPUpstream(t, testkit.MCPOptions{}), testkit.NewMCPUpstream(t, testkit.MCPOptions{Sessions: true})
	g := newGateway(t, permissive(func(s *setup) {
		s.Sessions = newSessions(t)
		for name, u := range map[string]*testkit.MCPUpstream{"evil": evil, "good": good} {
			o := deskServer(u.URL() + "/mcp")
			o.Name = name
			s.Servers = append(s.Servers, o)
		}
	}))
	open := func(server, role string) string {
		c := g.Dial(t)
		c.Post("/"+server+"/mcp", legacyCall("0", "initialize", `"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}`), bearer(role))
		return c.ReadReply().Header.Value("Mcp-Session-Id")
	}
	stolen := open("good", "admin")
	evil.On("initialize", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, m.Answer(`{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"e","version":"1"}}`), "Mcp-Session-Id: "+stolen)
	})
	diff(t, "session of the evil server", stolen, open("evil", "analyst"))

	for role, want := range map[string]int{"admin": 200, "analyst": 404} {
		c := g.Dial(t)
		c.Post("/good/mcp", toolCall, bearer(role), "Mcp-Session-Id: "+stolen)
		diff(t, role, want, c.ReadReply().Status)
	}
}

// heard is what a client learns of a request in a session.
type heard struct {
	Status int
	Body   bool // there is one
}

func TestSessionBelongsToItsPrincipal(t *testing.T) {
	g := bound(t)
	id := begin(t, g, "admin")
	ask := func(role, session, method string) heard {
		c := g.Dial(t)
		switch method {
		case "POST":
			c.Post("/mcp", toolCall, bearer(role), "Mcp-Session-Id: "+session)
		default:
			c.Send(method, "/mcp", "", bearer(role), "Accept: text/event-stream", "Mcp-Session-Id: "+session)
		}
		r := c.ReadReply()
		return heard{r.Status, len(r.Body) > 0}
	}

	got := []heard{
		ask("admin", id, "POST"),
		ask("analyst", id, "POST"),
		ask("analyst", id, "GET"),
		ask("analyst", id, "DELETE"),
		ask("analyst", "no-such-session", "POST"),
		ask("admin", "no-such-session", "POST"),
		ask("admin", id, "POST"), // the others changed nothing
		ask("admin", id, "DELETE"),
		ask("admin", id, "POST"), // it has ended
	}

	missing := heard{404, false}
	want := []heard{{200, true}, missing, missing, missing, missing, missing, {200, true}, {204, false}, missing}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"initialize": 1, "tools/call echo": 2, "DELETE": 1}, g.Upstream.Calls()); diff != "" {
		t.Errorf("what reached the server (-want +got):\n%s", diff)
	}
}

func TestRefusedSessionIsRecorded(t *testing.T) {
	g := bound(t)
	id := begin(t, g, "admin")
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("analyst"), "Mcp-Session-Id: "+id)
	c.ReadReply()

	e := g.AwaitEvents(t, 2)[1]

	got := []any{e.Rule, string(e.Outcome), e.StatusCode, e.Method, e.UserID, e.Decision}
	if diff := cmp.Diff([]any{"session", "denied", int32(404), "tools/call", "analyst@example.com", ""}, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// TestModernRequestHasNoSession: a server that still honours the field must not find one.
func TestModernRequestHasNoSession(t *testing.T) {
	g := newGateway(t, permissive(func(s *setup) { s.Sessions = newSessions(t) }))
	c := g.Dial(t)
	postModern(c, "admin", "1", "tools/list", "", "Mcp-Session-Id: somebody-else's")

	if r := c.ReadReply(); r.Status != 200 {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}

	if v := g.Upstream.Requests()[0].Header.Value("Mcp-Session-Id"); v != "" {
		t.Errorf("the server got session %q", v)
	}
}

// TestServerRepeatsASessionID: a server that hands the same id to two callers does not hand over the session.
func TestServerRepeatsASessionID(t *testing.T) {
	g := bound(t)
	g.Upstream.On("initialize", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, m.Answer(`{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`), "Mcp-Session-Id: always-the-same")
	})
	id := begin(t, g, "admin")
	c := g.Dial(t)
	c.Post("/mcp", legacyCall("0", "initialize", `"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}`), bearer("analyst"))
	r := c.ReadReply()

	if got := r.Header.Value("Mcp-Session-Id"); r.Status != 502 || got == id {
		t.Errorf("status %d with session %q, want 502 without", r.Status, got)
	}
}
