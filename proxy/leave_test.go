package proxy_test

import (
	"context"
	"testing"

	"sark/internal/testkit"
)

// TestLeave announces the end of a gateway: it goes on serving, on new connections too, and ends each with a reply, so that
// no client has a connection left that it would use in the moment of the shutdown.
func TestLeave(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body string }{
		{"a call", toolCall},
		{"a refusal", `{"jsonrpc":"2.0"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(nil))
			old := g.Dial(t)
			old.Post("/mcp", test.body, bearer("admin"))
			before := old.ReadReply()

			g.handler.Leave()

			old.Post("/mcp", test.body, bearer("admin"))
			after := old.ReadReply()
			rest := old.AwaitClosed()
			fresh := g.Dial(t)
			fresh.Post("/mcp", test.body, bearer("admin"))
			diff(t, "new connection", after.Status, fresh.ReadReply().Status)
			diff(t, "Connection", []string{"", "close", ""}, []string{before.Header.Value("Connection"), after.Header.Value("Connection"), rest})
			diff(t, "status", before.Status, after.Status)
		})
	}
}

// TestLeaveKeepsStreams keeps what is under way when the end is announced.
func TestLeaveKeepsStreams(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	proceed := make(chan struct{})
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Event(notification(1))
		<-proceed
		x.Event("{}")
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadHead()
	r.ReadData()

	g.handler.Leave()
	close(proceed)

	diff(t, "result", "{}", r.ReadData())
	diff(t, "shutdown", error(nil), g.Shutdown(context.Background()))
}
