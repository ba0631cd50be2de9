package cachemw

import (
	"cmp"
	"slices"
	"sync"
)

// Result is how a request for which caching was considered ended.
type Result uint8

// The results. Those from BypassRoute on are reasons for which neither a stored answer is used nor the new one stored.
const (
	// Hit is a fresh stored answer, or that of another request which was under way.
	Hit Result = iota
	// Miss is an answer of the upstream.
	Miss
	// Stale is a stored answer that is no longer fresh and allowed to be used.
	Stale
	// BypassRoute is a GET of the management API that is not cached.
	BypassRoute
	// BypassLegacy is a legacy request to a server without a lifetime of its own in the configuration.
	BypassLegacy
	// BypassStream is a request that may get more than one message, or answers an earlier one.
	BypassStream
	// BypassSession is a request of a session where answers may depend on it.
	BypassSession
	// BypassCookie is a request with a Cookie.
	BypassCookie
	// BypassPartial is a request for a part, or under a condition that only the upstream can test.
	BypassPartial
	// BypassNoStore is a request that forbids storing.
	BypassNoStore
	// BypassContent is a request that says more than what a key is made of: a GET with a body, or a JSON-RPC message with
	// members that are not of JSON-RPC.
	BypassContent
	results
)

// String returns the word of the result in statistics and metrics.
func (r Result) String() string {
	return [...]string{"hit", "miss", "stale", "route", "legacy", "stream", "session", "cookie", "partial", "no-store", "content"}[r]
}

// Bypass reports whether the result is a reason to pass the cache by.
func (r Result) Bypass() bool { return r >= BypassRoute }

// tally counts results by class of request and server. Both are bounded: classes are methods and routes, servers are
// configured.
type tally struct {
	mu    sync.RWMutex
	cells map[cellKey]*cell // guarded by mu
}

type cellKey struct{ class, server string }

// cell is what is counted of one class and server.
type cell [results]counter

// Count counts a request. class is a route or JSON-RPC method, server the upstream's name.
func (c *Cache) Count(class, server string, r Result) { c.tally.cell(class, server)[r].Add(1) }

func (t *tally) cell(class, server string) *cell {
	k := cellKey{class, server}
	t.mu.RLock()
	found := t.cells[k]
	t.mu.RUnlock()
	if found != nil {
		return found
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cells == nil {
		t.cells = map[cellKey]*cell{}
	}
	if found = t.cells[k]; found == nil {
		found = new(cell)
		t.cells[k] = found
	}
	return found
}

// ClassStats are the results of one class of requests to one server.
type ClassStats struct {
	// Class is a route or JSON-RPC method, Server the name of the upstream.
	Class, Server string
	// Hits, Misses and Stale count requests by where their answer came from.
	Hits, Misses, Stale uint64
	// Evictions counts entries that had to go from this process to make room.
	Evictions uint64
	// Bypasses counts requests that passed the cache by, by reason (see Result).
	Bypasses map[string]uint64
}

// Classes returns the results by class and server, in that order.
func (c *Cache) Classes() []ClassStats {
	evicted := c.evictedBy()
	c.tally.mu.RLock()
	defer c.tally.mu.RUnlock()
	list := make([]ClassStats, 0, len(c.tally.cells))
	for k, n := range c.tally.cells {
		s := ClassStats{
			Class: k.class, Server: k.server, Hits: n[Hit].Load(), Misses: n[Miss].Load(), Stale: n[Stale].Load(),
			Evictions: evicted[k],
			Bypasses:  map[string]uint64{},
		}
		for r := BypassRoute; r < results; r++ {
			if n := n[r].Load(); n > 0 {
				s.Bypasses[r.String()] = n
			}
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b ClassStats) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Server, b.Server))
	})
	return list
}
