package proxy_test

import (
	"sync/atomic"
	"testing"
	"time"

	"sark/internal/testkit"
	"sark/proxy"
)

// breakerGateway is a gateway whose clock the test moves, and a server that answers each call with the status.
func breakerGateway(t *testing.T, o proxy.BreakerOptions) (g *gateway, at *clock, status *atomic.Int64) {
	t.Helper()
	at, status = &clock{}, &atomic.Int64{}
	g = newGateway(t, permissive(func(s *setup) {
		s.Now = at.Now
		s.Server = func(so *proxy.ServerOptions) { so.Upstream.Breaker = o }
	}))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) {
		if code := int(status.Load()); code != 200 {
			x.Reply(code, "")
			return
		}
		x.JSON(200, m.Answer(`{"content":[]}`))
	})
	return g, at, status
}

// calls makes n calls and returns their statuses, and how many came to the server.
func calls(t *testing.T, g *gateway, n int) (statuses []int, sent int) {
	t.Helper()
	before := g.Upstream.Calls()["tools/call echo"]
	c := g.Dial(t)
	for range n {
		c.Post("/mcp", toolCall, bearer("admin"))
		statuses = append(statuses, c.ReadReply().Status)
	}
	return statuses, g.Upstream.Calls()["tools/call echo"] - before
}

// TestBreakerOpensAndCloses follows a server through trouble: failures in a row open the breaker, one call tries the
// server after the open time, another failure keeps it open for longer, a success closes it.
func TestBreakerOpensAndCloses(t *testing.T) {
	t.Parallel()
	g, at, status := breakerGateway(t, proxy.BreakerOptions{Failures: 3, OpenFor: 10 * time.Second})
	status.Store(502)
	type step struct {
		Statuses []int
		Sent     int
	}
	expect := func(what string, n int, want step) {
		t.Helper()
		statuses, sent := calls(t, g, n)
		diff(t, what, want, step{statuses, sent})
	}
	expect("three fail", 3, step{[]int{502, 502, 502}, 3})
	diff(t, "state", 2.0, g.Metric(t, "sark_proxy_breaker_state"))
	expect("left alone", 2, step{[]int{503, 503}, 0})
	at.Advance(13 * time.Second) // ten, and a quarter
	expect("one tries, and fails", 2, step{[]int{502, 503}, 1})
	at.Advance(13 * time.Second)
	expect("twice as long", 1, step{[]int{503}, 0})
	at.Advance(13 * time.Second)
	status.Store(200)
	expect("well again", 3, step{[]int{200, 200, 200}, 3})
	diff(t, "state", 0.0, g.Metric(t, "sark_proxy_breaker_state"))
	status.Store(502)
	expect("the count begins anew", 2, step{[]int{502, 502}, 2})
}

// TestBreakerCountsOnlyTrouble: whatever a server says of a single call does not open its breaker.
func TestBreakerCountsOnlyTrouble(t *testing.T) {
	t.Parallel()
	for _, code := range []int64{400, 401, 404, 429, 500} {
		g, _, status := breakerGateway(t, proxy.BreakerOptions{Failures: 1, MinCalls: 1})
		status.Store(code)
		statuses, sent := calls(t, g, 3)
		diff(t, "statuses", []int{int(code), int(code), int(code)}, statuses)
		diff(t, "sent", 3, sent)
	}
}

// TestBreakerCountsTheShare lets every other call fail: no row of failures, and half of all.
func TestBreakerCountsTheShare(t *testing.T) {
	t.Parallel()
	g, at, status := breakerGateway(t, proxy.BreakerOptions{Failures: 100, Ratio: 50, MinCalls: 6, Window: time.Minute})
	one := func(code int64) int {
		status.Store(code)
		statuses, _ := calls(t, g, 1)
		return statuses[0]
	}
	for range 2 {
		diff(t, "fails", 502, one(502))
		diff(t, "succeeds", 200, one(200))
	}
	at.Advance(2 * time.Minute) // what was before does not count
	for range 3 {
		diff(t, "fails", 502, one(502))
		diff(t, "succeeds", 200, one(200))
	}
	diff(t, "the seventh", 502, one(502))
	diff(t, "open", 503, one(200))
}

// TestBreakerCountsSilence: a server that does not answer in time is in trouble.
func TestBreakerCountsSilence(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) {
			o.Upstream.Breaker.Failures, o.Upstream.FirstByteTimeout = 1, 100*time.Millisecond
		}
	}))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) { <-x.ClientGone() })
	statuses, sent := calls(t, g, 2)
	diff(t, "statuses", []int{504, 503}, statuses)
	diff(t, "sent", 1, sent)
}

// TestBreakerTriesWithOneCall lets many calls come at once after the open time: one is sent.
func TestBreakerTriesWithOneCall(t *testing.T) {
	t.Parallel()
	g, at, status := breakerGateway(t, proxy.BreakerOptions{Failures: 1, OpenFor: time.Second})
	status.Store(502)
	calls(t, g, 1)
	at.Advance(2 * time.Second)
	entered, release := make(chan struct{}), make(chan struct{})
	g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) {
		entered <- struct{}{}
		<-release
		x.JSON(200, m.Answer(`{"content":[]}`))
	})
	trying := g.Dial(t)
	trying.Post("/mcp", toolCall, bearer("admin"))
	testkit.Wait(t, 0, entered)
	for range 4 {
		c := g.Dial(t)
		c.Post("/mcp", toolCall, bearer("admin"))
		diff(t, "meanwhile", 503, c.ReadReply().Status)
	}
	close(release)
	diff(t, "the one that tries", 200, trying.ReadReply().Status)
}
