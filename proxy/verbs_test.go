package proxy_test

import (
	"strconv"
	"strings"
	"testing"

	"sark/internal/testkit"
	"sark/proxy"
)

// TestHead: a reply to HEAD has the head of a reply to GET and no body, whoever makes it, and the connection goes on.
func TestHead(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		withResource(s)
		s.Server = func(o *proxy.ServerOptions) { o.Passthrough = []string{"/file", "/stream", "/nothing"} }
	}))
	g.Upstream.On("HEAD", func(x *testkit.Exchange, _ testkit.Message) {
		switch x.Request.Target {
		case "/file":
			x.WriteHead(200, "Content-Type: text/plain", "Content-Length: 1000000", "Etag: \"1\"")
		case "/stream":
			x.WriteHead(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
		default:
			x.WriteHead(404, "Content-Length: 0")
		}
	})
	const metadata = "/.well-known/oauth-protected-resource/mcp"
	c := g.Dial(t)
	c.Send("GET", metadata, "")
	whole := strconv.Itoa(len(c.ReadReply().Body))
	for i, tt := range []struct {
		target string
		status int
		length string
	}{
		{"/file", 200, "1000000"},
		{"/stream", 200, ""},
		{"/nothing", 404, "0"},
		{"/file", 200, "1000000"}, // over the same connection upstream
		{metadata, 200, whole},
		{"/mcp", 405, "?"},
		{"/nowhere", 404, "?"},
	} {
		c.Send("HEAD", tt.target, "", bearer("admin"))
		r := c.ReadReplyToHEAD()
		length := r.Header.Value("Content-Length")
		if tt.length == "?" && length != "" && length != "0" {
			length = "?" // an error's, whatever its length
		}
		diff(t, tt.target, []any{tt.status, tt.length}, []any{r.Status, length})
		if e := g.AwaitEvents(t, i+2)[i+1]; e.HTTPMethod != "HEAD" {
			t.Errorf("%s: event %+v", tt.target, e)
		}
	}
	if n := len(g.Upstream.Requests()); n != 4 {
		t.Errorf("the upstream got %d requests, want 4", n)
	}
}

// expecting is a call whose client waits before it sends the body.
func expecting(g *gateway, length int) string {
	return "POST /mcp HTTP/1.1\r\nHost: " + g.Addr + "\r\n" + bearer("admin") + "\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n" +
		"Content-Length: " + strconv.Itoa(length) + "\r\n\r\n"
}

// TestExpect: a client that waits is told to go on, and the server, which gets the body at once, is told nothing of it.
func TestExpect(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	c := g.Dial(t)
	for i := range 2 {
		c.Write(expecting(g, len(toolCall)))
		diff(t, "interim reply", 100, c.ReadInterim())
		c.Write(toolCall)
		diff(t, "status", 200, c.ReadReply().Status)
		up := g.Upstream.AwaitRequests(t, i+1)[i]
		if up.Header.Has("Expect") || string(up.Body) != toolCall {
			t.Errorf("the upstream got %v\n%s", up.Header, up.Body)
		}
	}
}

// TestExpectTooMuch refuses a body that is too large, also of a client that waited.
func TestExpectTooMuch(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) { s.MaxBody, s.Listener.MaxBody = 1<<10, 1<<10 }))
	c := g.Dial(t)
	c.Write(expecting(g, 2000))
	diff(t, "interim reply", 100, c.ReadInterim())
	c.Write(strings.Repeat(" ", 2000))
	diff(t, "status", 413, c.ReadReply().Status)
	if n := len(g.Upstream.Requests()); n != 0 {
		t.Errorf("the upstream got %d requests", n)
	}
}
