package cachemw

// Stats counts what has happened since the start, and says what is stored now.
type Stats struct {
	// Hits and Misses count lookups. An entry that was stale or of an ended generation is a miss.
	Hits, Misses uint64
	// Stores counts entries that were given to the backend; Rejects those that were not storable.
	Stores, Rejects uint64
	// Invalidations counts calls of Invalidate and InvalidateAll.
	Invalidations uint64
	// Errors counts times that the backend was in trouble.
	Errors uint64
	// Usage is what the backend holds.
	Usage
}

// HitRate returns the part of lookups that were hits, 0 to 1; 0 when there were none.
func (s Stats) HitRate() float64 {
	if s.Hits+s.Misses == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Hits+s.Misses)
}

// Stats returns the statistics of the cache.
func (c *Cache) Stats() Stats {
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Stores: c.stores.Load(), Rejects: c.rejects.Load(),
		Invalidations: c.invalidations.Load(), Errors: c.errors.Load(), Usage: c.backend.Usage(),
	}
}
