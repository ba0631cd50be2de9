package cachemw

import "context"

// Stats counts what has happened since the start, and says what is stored now.
type Stats struct {
	// Hits, Misses, Stale and Bypasses count requests, see Result. A reply that was validated with the upstream is a hit.
	Hits, Misses, Stale, Bypasses uint64
	// Stores counts entries that were given to the backend; Rejects those that were not storable.
	Stores, Rejects uint64
	// Invalidations counts calls of Invalidate and InvalidateAll.
	Invalidations uint64
	// Errors counts times that the backend was in trouble.
	Errors uint64
	// L1Hits and L2Hits say in which layer entries were found; without a shared server all are in L1, the memory.
	L1Hits, L2Hits uint64
	// Usage is what this process holds.
	Usage
	// EvictionsByServer is Evictions by the server whose entries went.
	EvictionsByServer map[string]uint64
	// Classes are the requests by class and server.
	Classes []ClassStats
}

// HitRate returns the part of the requests that were answered from the cache, 0 to 1, of those that did not pass it by; 0
// when there were none.
func (s Stats) HitRate() float64 {
	all := s.Hits + s.Misses + s.Stale
	if all == 0 {
		return 0
	}
	return float64(s.Hits+s.Stale) / float64(all)
}

// Stats returns the statistics of the cache.
func (c *Cache) Stats() Stats {
	s := Stats{
		Stores: c.stores.Load(), Rejects: c.rejects.Load(),
		Invalidations: c.invalidations.Load(), Errors: c.errors.Load(), Usage: c.backend.Usage(), Classes: c.Classes(),
	}
	for _, class := range s.Classes {
		s.Hits, s.Misses, s.Stale = s.Hits+class.Hits, s.Misses+class.Misses, s.Stale+class.Stale
		for _, n := range class.Bypasses {
			s.Bypasses += n
		}
	}
	switch b := c.backend.(type) {
	case *Tiered:
		s.L1Hits, s.L2Hits = b.Hits()
	case *Memory:
		s.L1Hits = s.Hits + s.Stale
	}
	s.EvictionsByServer = map[string]uint64{}
	for of, n := range c.evictedBy() {
		s.EvictionsByServer[of.server] += n
	}
	return s
}

// evictedBy returns the evictions by class and server; nil where the backend does not tell.
func (c *Cache) evictedBy() map[cellKey]uint64 {
	if b, ok := c.backend.(interface{ evictedBy() map[cellKey]uint64 }); ok {
		return b.evictedBy()
	}
	return nil
}

// RedisInfo returns what the shared server says about itself, and false when there is none.
func (c *Cache) RedisInfo(ctx context.Context) (RedisInfo, bool, error) {
	shared, ok := c.backend.(interface {
		Info(ctx context.Context) (RedisInfo, error)
	})
	if t, tiered := c.backend.(*Tiered); tiered {
		shared, ok = t.l2.(*Redis)
	}
	if !ok {
		return RedisInfo{}, false, nil
	}
	info, err := shared.Info(ctx)
	return info, true, err
}
