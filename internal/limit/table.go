package limit

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

const (
	// ways is how many buckets share a set: a key may live in any bucket of its set.
	ways = 8
	// shards is how many locks the table has. A power of two.
	shards = 64
)

// bucket is the state of one key: GCRA needs no more than the theoretical arrival time, which is when the bucket will
// have its full burst again. A bucket whose time has passed is the same as no bucket at all.
type bucket struct {
	key     uint64
	arrival int64 // nanoseconds since Limiter.base; math.MinInt64 when unused
}

// shard is a lock and the sets it guards. The padding keeps two locks out of one cache line.
type shard struct {
	mu   sync.Mutex
	sets [][ways]bucket // guarded by mu
	_    [32]byte
}

// table is a set-associative table of fixed size.
type table struct {
	shards [shards]shard
	mask   uint64 // sets in each shard, less one
}

// newTable returns a table for at least n busy keys. It is twice as large as n asks for, so that a set rarely overflows.
func newTable(n int) *table {
	sets := max(1, (2*n+ways*shards-1)/(ways*shards))
	sets = 1 << bits.Len(uint(sets-1))
	t := &table{mask: uint64(sets - 1)} //nolint:gosec // sets is at least 1
	for i := range t.shards {
		t.shards[i].sets = make([][ways]bucket, sets)
		for s := range t.shards[i].sets {
			for w := range t.shards[i].sets[s] {
				t.shards[i].sets[s][w].arrival = math.MinInt64
			}
		}
	}
	return t
}

// spend takes one call of interval out of key's bucket, if its burst of window has room at the time at. The key is a hash.
func (t *table) spend(key uint64, at, interval, window int64) (bool, time.Duration) {
	s := &t.shards[key%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := slot(&s.sets[key/shards&t.mask], key)
	if b.key != key {
		*b = bucket{key: key, arrival: math.MinInt64}
	}
	// A bucket is never in debt by more than its burst; it looks so only when the clock has stepped back.
	b.arrival = min(max(b.arrival, at), at+window)
	if wait := b.arrival + interval - window - at; wait > 0 {
		return false, time.Duration(wait)
	}
	b.arrival += interval
	return true, 0
}

// slot returns key's bucket in the set, or else the bucket with the least debt, which the caller takes over.
func slot(set *[ways]bucket, key uint64) *bucket {
	least := 0
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
		if set[i].arrival < set[least].arrival {
			least = i
		}
	}
	return &set[least]
}
