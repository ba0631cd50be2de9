package proxy_test

import (
	"sync"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

// TestPoolKeepsSoManyIdle makes more calls at once than connections are kept, and counts the sockets at the server when
// all have their replies.
func TestPoolKeepsSoManyIdle(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		keep, want int
	}{{"some", 3, 3}, {"none", -1, 0}, {"all", 20, 8}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const calls = 8
			g := newGateway(t, permissive(func(s *setup) {
				s.Server = func(o *proxy.ServerOptions) {
					o.Upstream.MaxIdle, o.Upstream.IdleTimeout = test.keep, testkit.Patience
				}
			}))
			var arrived sync.WaitGroup
			arrived.Add(calls)
			release := make(chan struct{})
			g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) {
				arrived.Done()
				<-release
				x.JSON(200, m.Answer(`{"content":[]}`))
			})
			clients := make([]*testkit.RawClient, calls)
			for i := range clients {
				clients[i] = g.Dial(t)
				clients[i].Post("/mcp", toolCall, bearer("admin"))
			}
			arrived.Wait()
			diff(t, "in use", calls, g.Upstream.Conns().Open)
			close(release)
			for _, c := range clients {
				diff(t, "status", 200, c.ReadReply().Status)
			}
			g.Upstream.AwaitConns(t, func(c testkit.Conns) bool { return c.Open == test.want && c.Idle == test.want })
		})
	}
}

// TestPoolExpiresIdle waits for the server to see the end of a connection that nobody used.
func TestPoolExpiresIdle(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Upstream.IdleTimeout = 50 * time.Millisecond }
	}))
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	diff(t, "status", 200, c.ReadReply().Status)
	g.Upstream.AwaitConns(t, func(c testkit.Conns) bool { return c.Accepted == 1 && c.Open == 0 })
}

// TestTotalTimeout cuts a reply that never stops and never is silent for long.
func TestTotalTimeout(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Upstream.TotalTimeout = 300 * time.Millisecond }
	}))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-x.ClientGone():
				return
			case <-tick.C:
				x.Event(notification(10))
			}
		}
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	if r := c.ReadReply(); r.Status != 200 || r.Err == nil {
		t.Errorf("status %d, error %v, want a reply that was cut", r.Status, r.Err)
	}
	e := g.AwaitEvents(t, 1)[0]
	diff(t, "outcome", audit.OutcomeUpstreamFailed, e.Outcome)
}
