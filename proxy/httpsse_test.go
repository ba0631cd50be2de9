package proxy_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"sark/internal/testkit"
)

// oldServer plays a server of the HTTP+SSE transport (MCP 2024-11-05), which names the given address and answers on the
// stream what is posted there.
func oldServer(t *testing.T, address string) *gateway {
	t.Helper()
	g := newGateway(t, func(s *setup) { s.Sessions = newSessions(t) })
	answers := make(chan string, 8) // as many as a test asks for
	g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Write([]byte("event: endpoint\ndata: " + strings.ReplaceAll(address, "HOST", g.Upstream.Addr()) + "\n\n"))
		x.Relay(answers)
		x.Hold(context.Background())
	})
	for _, method := range []string{"tools/list", "tools/call"} {
		g.Upstream.On(method, func(x *testkit.Exchange, m testkit.Message) {
			result := `{"content":[]}`
			if m.Method == "tools/list" {
				result = `{"tools":[{"name":"echo"},{"name":"wipe"}]}`
			}
			answers <- m.Answer(result)
			x.Reply(202, "Accepted")
		})
	}
	return g
}

// TestOldTransport: the address that a server names becomes one of the gateway, which leads back to it for the same caller
// only, and what comes on the stream is governed.
func TestOldTransport(t *testing.T) {
	for _, address := range []string{"/messages?sessionId=s-1", "messages?sessionId=s-1", "http://HOST/messages?sessionId=s-1"} {
		g := oldServer(t, address)
		stream := g.Dial(t)
		stream.Send("GET", "/mcp", "", bearer("analyst"), "Accept: text/event-stream")
		head := stream.ReadHead()
		first, _ := head.ReadEvent()
		target := "/mcp" + first.Data
		diff(t, "address", "/mcp?sark_endpoint="+url.QueryEscape("/messages?sessionId=s-1"), target)

		c := g.Dial(t)
		c.Post(target, legacyCall("1", "tools/list", ""), bearer("analyst"))
		diff(t, "status", 202, c.ReadReply().Status)
		list, _ := head.ReadEvent()
		diff(t, "list", `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"}]}}`, list.Data)
		c.Post(target, strings.Replace(toolCall, "echo", "wipe", 1), bearer("analyst"))
		diff(t, "denied call", 403, int(g.AwaitEvents(t, 3)[2].RPCCode))
		c.ReadReply()
		c.Post(target, toolCall, bearer("admin"))
		stranger := c.ReadReply()
		diff(t, "another caller", []any{404, ""}, []any{stranger.Status, stranger.Body})
		c.Post("/mcp?sark_endpoint=%2Fadmin", toolCall, bearer("analyst"))
		diff(t, "an invented address", 404, c.ReadReply().Status)
		stream.Close()
		var targets []string
		for _, r := range g.Upstream.Requests() {
			targets = append(targets, r.Method+" "+r.Target)
		}
		diff(t, "what the server was asked", []string{"GET /mcp", "POST /messages?sessionId=s-1"}, targets)
	}
}

// TestOldTransportOnOnePath: where a server takes messages on the path of its stream, the session in the query is nobody's but
// its owner's either.
func TestOldTransportOnOnePath(t *testing.T) {
	t.Parallel()
	g := oldServer(t, "/mcp?sessionId=s-1")
	stream := g.Dial(t)
	stream.Send("GET", "/mcp", "", bearer("analyst"), "Accept: text/event-stream")
	first, _ := stream.ReadHead().ReadEvent()
	c := g.Dial(t)
	for _, tt := range []struct {
		role, target string
		want         int
	}{
		{"admin", "/mcp" + first.Data, 404},
		{"admin", "/mcp?sessionId=s-1", 404},
		{"admin", "/desk/mcp?a=1&session%49d=s-1", 404},
		{"analyst", "/mcp" + first.Data, 202},
		{"analyst", "/mcp?sessionId=s-1", 202},
		{"admin", "/mcp?tenant=1", 202},
	} {
		c.Post(tt.target, toolCall, bearer(tt.role))
		diff(t, tt.role+" "+tt.target, tt.want, c.ReadReply().Status)
	}
	stream.Close()
	g.AwaitEvents(t, 8)
}

// TestOldTransportElsewhere: an address on another host would lead the client past the gateway.
func TestOldTransportElsewhere(t *testing.T) {
	for _, address := range []string{"http://evil.example/messages", "//evil.example/messages", "http://user@HOST/messages", "mailto:a@b", "https://HOST:1/x", ""} {
		g := oldServer(t, address)
		stream := g.Dial(t)
		stream.Send("GET", "/mcp", "", bearer("analyst"), "Accept: text/event-stream")
		head := stream.ReadHead()
		c := g.Dial(t)
		c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("analyst"))
		c.ReadReply()

		e, _ := head.ReadEvent()

		if e.Name == "endpoint" && e.Data != "" {
			t.Errorf("%q was passed on as %q", address, e.Data)
		}
		stream.Close()
		g.AwaitEvents(t, 3)
	}
}
