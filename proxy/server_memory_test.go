package proxy_test

import (
	"runtime"
	"testing"

	"sark/internal/testkit"
)

// TestIdleConnectionsHoldLittle: a connection that waits for its next request has let go of what the last one took. It runs
// alone, since it looks at the memory of the process.
func TestIdleConnectionsHoldLittle(t *testing.T) {
	const connections, size = 32, 2 << 20
	g := newGateway(t, permissive(nil))
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, m.Answer(`{"content":[]}`)) })
	body := largeCall(size)
	var idle [connections]*testkit.RawClient
	for i := range idle {
		idle[i] = g.Dial(t)
		idle[i].Post("/mcp", body, bearer("admin"))
		diff(t, "status", 200, idle[i].ReadReply().Status)
		idle[i].Post("/mcp", toolCall, bearer("admin")) // the large one is over by now
		idle[i].ReadReply()
	}
	with := heap()
	for _, c := range idle {
		c.Close()
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept := (with - heap()) / connections; kept > size/2 { // other tests may leave some
		t.Errorf("an idle connection holds %d bytes after a request of %d", kept, size)
	}
	runtime.KeepAlive(g.Upstream) // which keeps the requests that it got
}

// heap is how many bytes are in use, without those in pools.
func heap() int {
	runtime.GC() // what is in a pool
	runtime.GC() // survives one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) // #nosec G115 -- it fits
}
