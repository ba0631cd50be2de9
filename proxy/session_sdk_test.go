package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/demo"
	"sark/internal/session"
	"sark/proxy"
)

// sdkGateway is a gateway before the example server with sessions.
func sdkGateway(t *testing.T, change func(*setup)) *gateway {
	t.Helper()
	server, err := demo.NewServer(demo.Options{Stateful: true})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the example server: %v", err)
		}
		web.Close()
	})
	return newGateway(t, permissive(func(s *setup) {
		s.Servers = []proxy.ServerOptions{{Name: "desk", URL: web.URL + "/mcp", SensitivityLevel: "low"}}
		change(s)
	}))
}

// sdkSession connects the official client as an admin.
func sdkSession(t *testing.T, g *gateway) *mcp.ClientSession {
	t.Helper()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	s, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: g.URL + "/mcp", HTTPClient: &http.Client{Transport: authorized{"admin", base}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a lost session cannot be closed in order
	return s
}

// forgetful are sessions that can all be lost at once, as in a restart of the gateway.
type forgetful struct {
	*session.Bindings
	lost atomic.Bool
}

// Owned implements proxy.Sessions.
func (f *forgetful) Owned(ctx context.Context, kind session.Kind, id []byte, owner [32]byte, now time.Time) (bool, error) {
	if f.lost.Load() {
		return false, nil
	}
	return f.Bindings.Owned(ctx, kind, id, owner, now)
}

// TestClientBeginsAnotherSession: the official client is told that its session is lost in the way that it knows, and a new
// session of the same client works.
func TestClientBeginsAnotherSession(t *testing.T) {
	sessions := &forgetful{Bindings: newSessions(t)}
	g := sdkGateway(t, func(s *setup) { s.Sessions = sessions })
	first := sdkSession(t, g)
	if _, err := first.CallTool(t.Context(), &mcp.CallToolParams{Name: demo.SearchTickets, Arguments: map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	sessions.lost.Store(true)
	_, err := first.CallTool(t.Context(), &mcp.CallToolParams{Name: demo.SearchTickets, Arguments: map[string]any{}})
	if !errors.Is(err, mcp.ErrSessionMissing) {
		t.Fatalf("a call in the lost session: %v, want %v", err, mcp.ErrSessionMissing)
	}
	sessions.lost.Store(false)

	again := sdkSession(t, g)

	if _, err := again.CallTool(t.Context(), &mcp.CallToolParams{Name: demo.SearchTickets, Arguments: map[string]any{}}); err != nil {
		t.Errorf("a call in the new session: %v", err)
	}
	if first.ID() == again.ID() {
		t.Errorf("both sessions are %q", first.ID())
	}
}

// TestClientResumes: the official client asks for the rest of a reply whose stream the server has closed, and gets it, since the
// session is its own.
func TestClientResumes(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "desk", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo"}, func(_ context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		r.Extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: time.Millisecond})
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "the rest"}}}, nil, nil
	})
	var resumed atomic.Int64
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-ID") != "" {
			resumed.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	g := newGateway(t, permissive(func(s *setup) {
		s.Servers = []proxy.ServerOptions{{Name: "desk", URL: web.URL + "/mcp", SensitivityLevel: "low"}}
		s.Sessions = newSessions(t)
	}))

	s := sdkSession(t, g)
	r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := r.Content[0].(*mcp.TextContent)
	if text == nil || text.Text != "the rest" || resumed.Load() == 0 {
		t.Errorf("got %+v after %d resumptions", r.Content, resumed.Load())
	}
	if err := s.Close(); err != nil {
		t.Errorf("close the session: %v", err)
	}
}

// TestClientOverItsRate: the official client is refused for the moment and works on after it.
func TestClientOverItsRate(t *testing.T) {
	g := sdkGateway(t, func(s *setup) {
		limited(proxy.Rates{Principal: hourly(4)})(t, s)
		s.Sessions = newSessions(t)
	})
	s := sdkSession(t, g)
	var last error
	for range 5 {
		if _, last = s.CallTool(t.Context(), &mcp.CallToolParams{Name: demo.SearchTickets, Arguments: map[string]any{}}); last != nil {
			break
		}
	}
	if last == nil {
		t.Fatal("no call was refused")
	}
	if errors.Is(last, mcp.ErrSessionMissing) || errors.Is(last, mcp.ErrConnectionClosed) {
		t.Errorf("the refusal ended the session: %v", last)
	}
}
