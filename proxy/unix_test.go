package proxy_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

// socketServer serves handler on a unix socket, whose path it returns.
func socketServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sark") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mcp.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Listener = l
	server.Start()
	t.Cleanup(func() {
		server.Close()
		_ = os.RemoveAll(dir)
	})
	return path
}

// TestUnixUpstream reaches a server over a unix socket, at the path that its URL names.
func TestUnixUpstream(t *testing.T) {
	t.Parallel()
	type seen struct{ Host, URI, Body string }
	got := make(chan seen, 10)
	path := socketServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Host, r.RequestURI, string(body)}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`)
	})
	g := newGateway(t, permissive(func(s *setup) { s.Servers = []proxy.ServerOptions{deskServer("unix://" + path + ":/v1/mcp")} }))
	c := g.Dial(t)
	for _, target := range []string{"/desk/mcp", "/v1/mcp"} {
		c.Post(target, toolCall, bearer("admin"))
		diff(t, target, 200, c.ReadReply().Status)
		diff(t, target, seen{"localhost", "/v1/mcp", toolCall}, testkit.Wait(t, 0, got))
	}
}

// TestUnixUpstreamIsGone says of a socket that nobody listens on what it says of a port.
func TestUnixUpstreamIsGone(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) { s.Servers = []proxy.ServerOptions{deskServer("unix:///nowhere/mcp.sock:/mcp")} }))
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	diff(t, "status", 502, c.ReadReply().Status)
	diff(t, "outcome", audit.OutcomeUpstreamFailed, g.AwaitEvents(t, 1)[0].Outcome)
}

// TestUnixUpstreamClientLeaves: a departed client is noticed while the server behind the socket is silent.
func TestUnixUpstreamClientLeaves(t *testing.T) {
	t.Parallel()
	arrived, gone := make(chan struct{}), make(chan struct{})
	path := socketServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(gone)
	})
	g := newGateway(t, permissive(func(s *setup) { s.Servers = []proxy.ServerOptions{deskServer("unix://" + path + ":/mcp")} }))
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	<-arrived
	c.Close()
	testkit.Wait(t, 0, gone)
}
