package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"sark/internal/testkit"
)

// traffic is calls of the tool "note" by several clients, each one call after the other on a connection that it keeps as
// long as the gateway does.
type traffic struct {
	answered atomic.Int64
	cancel   context.CancelFunc
	clients  sync.WaitGroup

	mu    sync.Mutex // guards wrong
	wrong []string   // what was not answered as it should have been
}

// clients is how many send calls at once.
const clients = 8

// drive starts traffic, over connections that dial opens.
func drive(t *testing.T, dial func(context.Context) (net.Conn, error)) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &traffic{cancel: cancel}
	for range clients {
		d.clients.Go(func() { d.call(ctx, dial) })
	}
	t.Cleanup(func() { d.end() })
	return d
}

func (d *traffic) call(ctx context.Context, dial func(context.Context) (net.Conn, error)) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	defer transport.CloseIdleConnections()
	c := caller{base: "http://127.0.0.1", http: &http.Client{Transport: transport}}
	for ctx.Err() == nil {
		r, err := c.try(context.Background(), "POST", "/mcp", toolCall("note")) // ends, so that each call is answered
		if err == nil && r.Status == 200 {
			d.answered.Add(1)
			continue
		}
		d.mu.Lock()
		d.wrong = append(d.wrong, fmt.Sprintf("%d %s, %v", r.Status, r.Body, err))
		d.mu.Unlock()
		return
	}
}

// more waits until another n calls were answered.
func (d *traffic) more(t *testing.T, n int64) {
	t.Helper()
	goal := d.answered.Load() + n
	testkit.Eventually(t, fmt.Sprintf("%d more calls are answered", n), func() bool { return d.answered.Load() >= goal || d.faults() != nil })
}

func (d *traffic) faults() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wrong
}

// end stops the traffic after the calls that are under way, and returns how many were answered in all, and how the others
// ended.
func (d *traffic) end() (answered int64, wrong []string) {
	d.cancel()
	d.clients.Wait()
	return d.answered.Load(), d.faults()
}
