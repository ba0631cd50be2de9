package cachemw

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"sark/internal/mcp"
)

const (
	// defaultMaxBytes is the size of the cache when Options do not say: 64 MiB.
	defaultMaxBytes = 64 << 20
	// entryOverhead is what an entry costs beside its bytes: key, node, item and headers.
	entryOverhead = 512
	// maxShare is the part of the cache that one entry may take: an eighth.
	maxShare = 8
)

// Memory is a Backend in the process: otter's W-TinyLFU, bounded in bytes, with an expiry for each entry.
type Memory struct {
	cache       *otter.Cache[Key, *item]
	generations *generations
	evicted     evicted
	maxEntry    int
	now         func() time.Time
}

// item is a stored entry and its generation. It never changes.
type item struct {
	entry      Entry
	generation *generation
	until      time.Time // when it leaves, at the latest
	unread     bool      // nobody has looked for its layout yet
}

// MemoryOptions are the options of NewMemory.
type MemoryOptions struct {
	// MaxBytes bounds what is stored, overhead included. Default 64 MiB. One entry may take an eighth of it.
	MaxBytes int64
	// Registerer receives the metrics; nil leaves them out.
	Registerer prometheus.Registerer
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// NewMemory returns an empty Memory. The caller must Close it.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.MaxBytes < 0 {
		return nil, fmt.Errorf("cachemw: MaxBytes is %d, must not be negative", o.MaxBytes)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxBytes < maxShare*entryOverhead {
		return nil, errors.New("cachemw: MaxBytes is too small for a single entry")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Memory{
		generations: newGenerations(o.Now),
		maxEntry:    int(min(o.MaxBytes/maxShare, math.MaxInt32)),
		now:         o.Now,
	}
	cache, err := otter.New(&otter.Options[Key, *item]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(_ Key, i *item) uint32 { return uint32(weight(i.entry)) }, //nolint:gosec // at most maxEntry
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[Key, *item]) time.Duration {
			return e.Value.until.Sub(e.SnapshotAt())
		}),
		// Not OnDeletion, which costs a closure for each. It holds a lock of the cache, and must not call it.
		OnAtomicDeletion: func(e otter.DeletionEvent[Key, *item]) {
			if e.Cause == otter.CauseOverflow {
				m.evicted.add(e.Value.entry.Class, e.Value.generation.server)
			}
		},
		Clock: clock{o.Now},
		// Maintenance runs where it is due: it is short, and there is nothing to wait for in Close.
		Executor: func(f func()) { f() },
	})
	if err != nil {
		return nil, fmt.Errorf("make the cache: %w", err)
	}
	m.cache = cache
	if err := registerMemory(o.Registerer, m); err != nil {
		cache.StopAllGoroutines()
		return nil, fmt.Errorf("cachemw: register metrics: %w", err)
	}
	return m, nil
}

// Load implements Backend.
func (m *Memory) Load(_ context.Context, key Key) (Entry, bool, error) {
	i, ok := m.cache.GetIfPresent(key)
	if !ok || i.generation.ended.Load() {
		return Entry{}, false, nil
	}
	if i.unread {
		return m.layOut(key, i), true, nil
	}
	return i.entry, true, nil
}

// layOut reads the layout of an entry that is asked for a first time, and keeps it with the entry from then on: in a busy cache
// most entries go before anybody asks for them. Put there anew the entry is weighed anew, since the layout of many small
// items takes more than they do; where that is too much, the entry goes.
func (m *Memory) layOut(key Key, i *item) Entry {
	read := *i
	read.unread = false
	read.entry.Layout, _ = mcp.ReadLayout(i.entry.Body) // what cannot be read is read again, and refused, where it has to be filtered
	m.cache.Compute(key, func(now *item, found bool) (*item, otter.ComputeOp) {
		switch {
		case !found || now != i: // somebody was faster
			return nil, otter.CancelOp
		case weight(read.entry) > m.maxEntry:
			return nil, otter.InvalidateOp
		}
		return &read, otter.WriteOp
	})
	return read.entry
}

// Save implements Backend. An entry that would take too much room is dropped.
func (m *Memory) Save(_ context.Context, key Key, e Entry) error {
	m.keep(key, e.clone(), e.Stored.Add(e.kept()))
	return nil
}

// keep stores an entry, whose bytes are given away, until then, unless its generation has ended or it would take too much room.
func (m *Memory) keep(key Key, e Entry, until time.Time) {
	g := m.generations.live(e.Generation)
	if g == nil || !until.After(m.now()) {
		return
	}
	if weight(e) > m.maxEntry {
		return
	}
	unread := e.Layout == nil && CacheableMethod(e.Class)
	m.cache.Set(key, &item{entry: e, generation: g, until: until, unread: unread})
}

// Generation implements Backend.
func (m *Memory) Generation(_ context.Context, server string) (uint64, error) {
	return m.generations.of(server), nil
}

// Invalidate implements Backend. The entries leave when they expire or their room is needed.
func (m *Memory) Invalidate(_ context.Context, server string) error {
	m.generations.end(server)
	return nil
}

// InvalidateAll implements Backend. The entries leave at once.
func (m *Memory) InvalidateAll(context.Context) error {
	m.generations.endAll()
	m.cache.InvalidateAll()
	return nil
}

// Usage implements Backend.
func (m *Memory) Usage() Usage {
	return Usage{
		Entries:   m.cache.EstimatedSize(),
		Bytes:     int64(m.cache.WeightedSize()), //nolint:gosec // bounded by MaxBytes
		Evictions: m.evicted.total(),
	}
}

// Close implements Backend.
func (m *Memory) Close() error {
	m.cache.StopAllGoroutines()
	return nil
}

// weight returns how many bytes an entry takes, about.
func weight(e Entry) int {
	w := entryOverhead + len(e.Body) + len(e.ContentType) + len(e.Class) + e.Layout.Size()
	for _, h := range e.Header {
		w += len(h.Name) + len(h.Value)
	}
	return w
}

// evictedBy returns Usage().Evictions by class and server.
func (m *Memory) evictedBy() map[cellKey]uint64 {
	m.evicted.mu.Lock()
	defer m.evicted.mu.Unlock()
	return maps.Clone(m.evicted.by)
}

// evicted counts evictions by class and server, of which there are no more than generations.
type evicted struct {
	mu sync.Mutex
	by map[cellKey]uint64 // guarded by mu
}

// add counts one. What is kept under the name of a server and more, after a space, is the server's.
func (e *evicted) add(class, name string) {
	server, _, _ := strings.Cut(name, " ")
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.by == nil || len(e.by) >= maxServers {
		before := e.totalLocked()
		if e.by = map[cellKey]uint64{}; before > 0 {
			e.by[cellKey{}] = before // of those that are forgotten
		}
	}
	e.by[cellKey{class, server}]++
}

func (e *evicted) total() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.totalLocked()
}

func (e *evicted) totalLocked() (n uint64) {
	for _, of := range e.by {
		n += of
	}
	return n
}

// clock gives otter our clock. It ticks in real time, whatever the clock says: ticks only start the removal of entries
// that have expired.
type clock struct{ now func() time.Time }

// NowNano implements otter.Clock.
func (c clock) NowNano() int64 { return c.now().UnixNano() }

// Tick implements otter.Clock.
func (c clock) Tick(d time.Duration) <-chan time.Time { return time.Tick(d) }
