package proxy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"sark/authz"
	"sark/internal/endpoint"
	"sark/internal/testkit"
	"sark/proxy"
)

// lackOfRoom are requests that come while the gateway can take no more.
func lackOfRoom() map[string]failure {
	return map[string]failure{
		"overload": {
			setup: func(_ *testing.T, s *setup) { s.MaxConcurrent = 1 }, begin: holdCall,
			header: map[string]string{"Retry-After": "1"},
		},
		"audit-full": {
			begin: func(_ *testing.T, g *gateway) func() {
				g.Trail.Limit(0)
				return func() { g.Trail.Limit(-1) }
			},
			header: map[string]string{"Retry-After": "5"},
		},
		"held-bytes": {
			setup: func(_ *testing.T, s *setup) { s.MaxHeldBytes = 1 << 10 },
			send: func(c *testkit.RawClient) {
				c.Post("/mcp", strings.Replace(allowedCall, "hello", strings.Repeat("a", 66<<10), 1), bearer("analyst"))
			},
			id: `""`, closes: true,
			header: map[string]string{"Retry-After": "1"},
		},
		"arriving-bytes": {
			setup: func(_ *testing.T, s *setup) { s.MaxArrivingBytes = 1 << 10 },
			send: func(c *testkit.RawClient) {
				c.Post("/mcp", strings.Replace(allowedCall, "hello", strings.Repeat("a", 66<<10), 1))
			},
			id: `""`, closes: true, header: map[string]string{"Retry-After": "1"},
		},
		"pool-exhausted": {
			setup: func(_ *testing.T, s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.Upstream.MaxConns, o.Upstream.ConnWait = 1, 50*time.Millisecond }
			},
			begin: holdCall, header: map[string]string{"Retry-After": "1"},
		},
	}
}

// heldCall is the call that holdCall keeps open, as the upstream counts it.
const heldCall = "prompts/get greet"

// holdCall keeps one call waiting at the upstream, until end.
func holdCall(t *testing.T, g *gateway) (end func()) {
	t.Helper()
	arrived, release := make(chan struct{}), make(chan struct{})
	g.Upstream.On(heldCall, func(x *testkit.Exchange, m testkit.Message) {
		close(arrived)
		select {
		case <-release:
		case <-x.ClientGone():
		}
		x.JSON(200, m.Answer(`{"messages":[]}`))
	})
	c := g.Dial(t)
	c.Post("/mcp", `{"jsonrpc":"2.0","id":"held","method":"prompts/get","params":{"name":"greet"}}`, bearer("analyst"))
	testkit.Wait(t, 0, arrived)
	return func() {
		close(release)
		if r := c.ReadReply(); r.Status != 200 {
			t.Errorf("the call that was held got %d %s", r.Status, r.Body)
		}
	}
}

// upstreamFailures are allowed calls that the upstream does not answer as it should, and failures of the gateway itself.
func upstreamFailures() map[string]failure {
	return map[string]failure{
		"upstream-refused": {
			setup: func(t *testing.T, s *setup) { s.Servers = []proxy.ServerOptions{deskServer(nobodyListens(t))} }, dead: true,
		},
		"upstream-silent": {
			setup: func(_ *testing.T, s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.Upstream.FirstByteTimeout = 200 * time.Millisecond }
			},
			begin: replyToCall(func(x *testkit.Exchange, _ testkit.Message) { x.Hold(context.Background()) }), forwarded: true,
		},
		"upstream-long": {
			setup: func(_ *testing.T, s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.Upstream.TotalTimeout = 200 * time.Millisecond }
			},
			begin: replyToCall(func(x *testkit.Exchange, _ testkit.Message) { x.Hold(context.Background()) }), forwarded: true,
		},
		"breaker-open": {
			setup: func(_ *testing.T, s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.Upstream.Breaker.Failures = 1 }
			},
			begin: func(t *testing.T, g *gateway) func() { failOnce(t, g); return func() {} }, before: 1, dead: true,
		},
		"server-unhealthy": {
			setup: func(_ *testing.T, s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.State = proxy.ServerUnhealthy }
			},
			header: map[string]string{"Retry-After": "5"}, dead: true,
		},
		"server-stdio": {
			setup: func(_ *testing.T, s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.State, o.URL, o.Registered = proxy.ServerLocal, "", true }
			},
			send: func(c *testkit.RawClient) { c.Post("/desk/mcp", allowedCall, bearer("analyst")) }, dead: true,
		},
		"upstream-forbidden": {
			setup: func(_ *testing.T, s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.Upstream.Networks = endpoint.NewNetworks(nil) }
			},
			dead: true,
		},
		"upstream-cut":     {begin: replyToCall(func(x *testkit.Exchange, _ testkit.Message) { x.Cut() }), forwarded: true},
		"upstream-garbage": {begin: replyToCall(func(x *testkit.Exchange, _ testkit.Message) { x.WriteRaw([]byte("NOT HTTP\r\n\r\n")) }), forwarded: true},
		"list-unreadable": {
			begin: replyTo("tools/list", func(x *testkit.Exchange, m testkit.Message) {
				x.JSON(200, strings.Replace(m.Answer(`{"tools":[{"name":"echo"}]}`), `"tools"`, `"tools":[],"tools"`, 1))
			}),
			send: post(`{"jsonrpc":"2.0","id":"call-1","method":"tools/list"}`), forwarded: true,
		},
		"list-large": {
			setup: func(_ *testing.T, s *setup) { s.MaxBuffered = 1 << 10 },
			begin: replyTo("tools/list", func(x *testkit.Exchange, m testkit.Message) {
				x.ChunkedJSON(200, m.Answer(`{"tools":[{"name":"`+strings.Repeat("a", 2<<10)+`"}]}`))
			}),
			send: post(`{"jsonrpc":"2.0","id":"call-1","method":"tools/list"}`), forwarded: true,
		},
		"redact-unreadable": {
			setup: withPolicy(obliging(`{"redact": ["$.ssn"]}`), 0),
			begin: replyToCall(func(x *testkit.Exchange, _ testkit.Message) {
				x.JSON(200, `{"jsonrpc":"2.0","id":"call-1","result":{"a":1,"a":2}}`)
			}), forwarded: true,
		},
		"redact-large": {
			setup: func(t *testing.T, s *setup) {
				s.MaxBuffered = 1 << 10
				withPolicy(obliging(`{"redact": ["$.ssn"]}`), 0)(t, s)
			},
			begin: replyToCall(func(x *testkit.Exchange, m testkit.Message) {
				x.ChunkedJSON(200, m.Answer(`{"content":[{"type":"text","text":"`+strings.Repeat("a", 2<<10)+`"}]}`))
			}),
			forwarded: true,
		},
		"client-left": {begin: replyToCall(holdStream), leaves: true},
		"internal":    {setup: func(_ *testing.T, s *setup) { s.Decider = deciderFunc(panicOnTools) }},
	}
}

// replyToCall scripts the upstream's reply to the tool that allowedCall calls.
func replyToCall(script func(*testkit.Exchange, testkit.Message)) func(*testing.T, *gateway) func() {
	return replyTo("tools/call echo", script)
}

func replyTo(key string, script func(*testkit.Exchange, testkit.Message)) func(*testing.T, *gateway) func() {
	return func(_ *testing.T, g *gateway) func() {
		g.Upstream.On(key, script)
		return func() {}
	}
}

// failOnce makes one call fail as a server in trouble does.
func failOnce(t *testing.T, g *gateway) {
	t.Helper()
	g.Upstream.On(heldCall, func(x *testkit.Exchange, _ testkit.Message) { x.Reply(503, "") })
	c := g.Dial(t)
	c.Post("/mcp", `{"jsonrpc":"2.0","id":"held","method":"prompts/get","params":{"name":"greet"}}`, bearer("analyst"))
	if r := c.ReadReply(); r.Status != 503 {
		t.Fatalf("the call that was to fail got %d %s", r.Status, r.Body)
	}
}

// panicOnTools is a policy with a fault.
func panicOnTools(in *authz.Input) authz.Decision {
	if in.Call.Action == "tool:invoke" {
		panic("BUG: made by the test")
	}
	return authz.Decision{Allow: true, Obligations: authz.Obligations{CacheTTL: -1}}
}

// nobodyListens is a URL at which connections are refused.
func nobodyListens(t *testing.T) string {
	t.Helper()
	return "http://" + testkit.RefusedAddr(t) + "/mcp"
}
