package limit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxKeys is the number of buckets that are kept when TableOptions.MaxKeys is zero.
const DefaultMaxKeys = 65536

// maxTableKeys bounds MaxKeys: a table of 2^24 keys takes a gigabyte.
const maxTableKeys = 1 << 24

const (
	// ways is how many buckets share a set: a key may live in any bucket of its set.
	ways = 8
	// shards is how many locks the table has: a set of them is the bits of a word.
	shards = 64
)

// TableOptions are the options of NewTable.
type TableOptions struct {
	// MaxKeys is how many busy keys are told apart; default DefaultMaxKeys. A key that has rested long enough to have its
	// full burst again takes no room. Beyond the bound the least indebted of a few buckets is forgotten, so that a flood
	// of keys can give somebody a fresh burst, but can never make the table grow or block a newcomer.
	// The table reserves 32 to 64 bytes for each key, and takes them as it is used.
	MaxKeys int
	// Now is the clock whose readings are given to Take; default time.Now. NewTable reads it once.
	Now func() time.Time
}

// Table is a bounded, set-associative table of buckets in memory. All methods may be called from several goroutines at
// once.
type Table struct {
	base      time.Time // longAgo before the table was made, so that unused buckets, which are 0, have long been full
	seed      maphash.Seed
	shards    [shards]shard
	mask      uint64 // sets in each shard, less one
	forgotten atomic.Uint64
}

// shard is a lock and the sets it guards. The padding keeps two locks out of one cache line.
type shard struct {
	mu   sync.Mutex
	sets [][ways]bucket // guarded by mu
	_    [32]byte
}

// bucket is the state of one key: GCRA needs no more than the theoretical arrival time, which is when the bucket will
// have its full burst again. A bucket whose time has passed is the same as no bucket at all.
type bucket struct {
	key     uint64
	arrival int64 // nanoseconds since Table.base; 0 when unused
}

// longAgo is longer than a clock is ever set back, and a third of what 64 bits of nanoseconds can tell.
const longAgo = 100 * 365 * 24 * time.Hour

// NewTable returns an empty Table, or an error that says which option is wrong. It is twice as large as MaxKeys asks for,
// so that a set rarely overflows.
func NewTable(o TableOptions) (*Table, error) {
	if o.MaxKeys == 0 {
		o.MaxKeys = DefaultMaxKeys
	}
	if o.MaxKeys < 1 || o.MaxKeys > maxTableKeys {
		return nil, fmt.Errorf("limit: MaxKeys is %d, must be 1 to %d", o.MaxKeys, maxTableKeys)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	sets := max(1, (2*o.MaxKeys+ways*shards-1)/(ways*shards))
	sets = 1 << bits.Len(uint(sets-1))
	t := &Table{base: o.Now().Add(-longAgo), seed: maphash.MakeSeed(), mask: uint64(sets - 1)} //nolint:gosec // sets is at least 1
	for i := range t.shards {
		t.shards[i].sets = make([][ways]bucket, sets) // zeroes, which take no memory before they are used
	}
	return t, nil
}

// Take spends one call from every quota, if each has room for it at now, and else from none. Without quotas it allows the
// call. A clock that steps back delays a key by one burst at most; two keys share a bucket only if 64 secretly seeded bits
// of their hashes agree. Take does not allocate. It panics for more than MaxQuotas quotas.
func (t *Table) Take(quotas []Quota, now time.Time) Verdict { return t.ask(quotas, now, true) }

// Peek says what Take would say, and spends nothing.
func (t *Table) Peek(quotas []Quota, now time.Time) Verdict { return t.ask(quotas, now, false) }

// Forgotten is how many busy buckets had to make room for others so far.
func (t *Table) Forgotten() uint64 { return t.forgotten.Load() }

// errTooMany is the message of a broken invariant.
var errTooMany = errors.New("BUG: limit: a call spends from too many quotas")

func (t *Table) ask(quotas []Quota, now time.Time, spend bool) Verdict {
	if len(quotas) > MaxQuotas {
		panic(errTooMany)
	}
	var hashes [MaxQuotas]uint64
	var locks uint64 // the bit of each shard
	for i := range quotas {
		hashes[i] = t.hash(&quotas[i])
		locks |= 1 << (hashes[i] % shards)
	}
	at := int64(now.Sub(t.base))
	var d debts
	t.lock(locks)
	for i := range quotas {
		d[i] = t.debtLocked(hashes[i], at, quotas[i].Rate.window())
	}
	ok := fits(quotas, &d)
	if ok && len(quotas) > 0 {
		for i := range quotas {
			d[i] += quotas[i].Rate.interval
			if spend {
				t.setLocked(hashes[i], at, d[i])
			}
		}
	}
	t.unlock(locks)
	return judge(quotas, &d, ok)
}

// hash tells buckets apart by name, key and rate.
func (t *Table) hash(q *Quota) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	var fixed [20]byte
	binary.LittleEndian.PutUint32(fixed[:], uint32(len(q.Name)))       //nolint:gosec // names are short
	binary.LittleEndian.PutUint64(fixed[4:], uint64(q.Rate.burst))     //nolint:gosec // at least 1
	binary.LittleEndian.PutUint64(fixed[12:], uint64(q.Rate.interval)) //nolint:gosec // at least 1
	_, _ = h.Write(fixed[:])                                           // never fails
	_, _ = h.WriteString(q.Name)
	_, _ = h.WriteString(q.Key)
	return h.Sum64()
}

// lock takes the locks of shards in the order of their numbers, so that two calls cannot wait for each other.
func (t *Table) lock(locks uint64) {
	for ; locks != 0; locks &= locks - 1 {
		t.shards[bits.TrailingZeros64(locks)].mu.Lock()
	}
}

func (t *Table) unlock(locks uint64) {
	for ; locks != 0; locks &= locks - 1 {
		t.shards[bits.TrailingZeros64(locks)].mu.Unlock()
	}
}

// debtLocked returns how long after at the key's bucket is full again. A bucket is never in debt by more than its window;
// it looks so only when the clock has stepped back.
func (t *Table) debtLocked(key uint64, at, window int64) int64 {
	set := t.set(key)
	for i := range set {
		if set[i].key == key && set[i].arrival > at {
			set[i].arrival = min(set[i].arrival, at+window)
			return set[i].arrival - at
		}
	}
	return 0
}

// setLocked makes the key's bucket full again so long after at. A key without a bucket takes over that with the least debt.
func (t *Table) setLocked(key uint64, at, debt int64) {
	set := t.set(key)
	least := 0
	for i := range set {
		if set[i].key == key {
			set[i].arrival = at + debt
			return
		}
		if set[i].arrival < set[least].arrival {
			least = i
		}
	}
	if set[least].arrival > at {
		t.forgotten.Add(1)
	}
	set[least] = bucket{key: key, arrival: at + debt}
}

// set returns the buckets in which a key may live.
func (t *Table) set(key uint64) *[ways]bucket {
	return &t.shards[key%shards].sets[key/shards&t.mask]
}
