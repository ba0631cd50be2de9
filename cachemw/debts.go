package cachemw

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// everything stands for all servers among the debts.
const everything = ""

// repayEvery is the pause between two attempts at an invalidation that is owed.
const repayEvery = time.Second

// debts are invalidations that could not be made certain. They are tried again until they are, and until then nothing of
// their servers is served: an entry must not come back with the layer that could not be reached.
type debts struct {
	backend Backend
	any     atomic.Bool // saves the lock on the way of a request

	mu      sync.Mutex
	servers map[string]uint64  // guarded by mu; how often each was owed, see repaid
	stop    context.CancelFunc // guarded by mu; nil while nothing is owed
	closed  bool               // guarded by mu
	running sync.WaitGroup
}

func newDebts(b Backend) *debts { return &debts{backend: b, servers: map[string]uint64{}} }

// owed reports whether an invalidation of the server is owed.
func (d *debts) owed(server string) bool {
	if !d.any.Load() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.servers[server] > 0 || d.servers[everything] > 0
}

// owe notes an invalidation and begins to try it again.
func (d *debts) owe(server string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if len(d.servers) >= maxServers {
		server = everything
	}
	d.servers[server]++
	d.any.Store(true)
	if d.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.running.Go(func() { d.repay(ctx) })
}

// repay tries until nothing is owed.
func (d *debts) repay(ctx context.Context) {
	tick := time.NewTicker(repayEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for server, times := range d.open() {
			err := guarded(func() error {
				if server == everything {
					return d.backend.InvalidateAll(ctx)
				}
				return d.backend.Invalidate(ctx, server)
			})
			if err == nil {
				d.repaid(server, times)
			}
		}
		if d.settled() {
			return
		}
	}
}

// open returns what is owed.
func (d *debts) open() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make(map[string]uint64, len(d.servers))
	for server, times := range d.servers {
		list[server] = times
	}
	return list
}

// repaid takes a debt off the list, unless it was made again in the meantime.
func (d *debts) repaid(server string, times uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.servers[server] == times {
		delete(d.servers, server)
	}
}

// settled ends the repayment when nothing is owed.
func (d *debts) settled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.servers) > 0 {
		return false
	}
	d.any.Store(false)
	d.stop()
	d.stop = nil
	return true
}

// close stops trying and waits.
func (d *debts) close() {
	d.mu.Lock()
	d.closed = true
	if d.stop != nil {
		d.stop()
	}
	d.mu.Unlock()
	d.running.Wait()
}
