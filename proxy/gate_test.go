package proxy_test

import (
	"testing"
	"time"

	"sark/internal/testkit"
)

// TestPeakPasses sends a call while the only one that may be served is held: it waits, and is answered when that one ends.
func TestPeakPasses(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.MaxConcurrent, s.ConcurrentWait = 1, time.Minute })
	end := holdCall(t, g)
	c := g.Dial(t)
	c.Post("/mcp", allowedCall, bearer("analyst"))
	testkit.Eventually(t, "the call waits", func() bool { return g.Metric(t, "sark_proxy_requests_waiting") == 1 })
	end()
	if r := c.ReadReply(); r.Status != 200 {
		t.Errorf("the call that waited got %d %s", r.Status, r.Body)
	}
	if n := g.Metric(t, "sark_proxy_requests_waiting"); n != 0 {
		t.Errorf("%v wait when nothing is left", n)
	}
}
