package cachemw

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// counter is a statistic that several goroutines add to.
type counter = atomic.Uint64

// Cache answers with stored responses. It asks a Backend and adds the rules: what may be stored, what is fresh, and that
// trouble is a miss. All methods may be called from several goroutines at once.
type Cache struct {
	backend Backend
	now     func() time.Time

	stores, rejects, errors, invalidations counter

	tally tally
	debts *debts
}

// Options are the options of New.
type Options struct {
	// MaxBytes bounds the memory of the backend that New makes. Default 64 MiB.
	MaxBytes int64
	// Backend is where entries are kept; nil makes a Memory. The Cache closes it.
	Backend Backend
	// Registerer receives the metrics of the cache, and of the backend that New makes; nil leaves them out.
	Registerer prometheus.Registerer
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// New returns a Cache. The caller must Close it.
func New(o Options) (*Cache, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Backend == nil {
		m, err := NewMemory(MemoryOptions{MaxBytes: o.MaxBytes, Registerer: o.Registerer, Now: o.Now})
		if err != nil {
			return nil, err
		}
		o.Backend = m
	}
	c := &Cache{backend: o.Backend, now: o.Now, debts: newDebts(o.Backend)}
	if err := registerCache(o.Registerer, c); err != nil {
		return nil, fmt.Errorf("cachemw: register metrics: %w", err)
	}
	return c, nil
}

// Lookup returns the entry of a key that is of its server's current generation, and kept: the caller asks whether it is
// Fresh. Trouble is a miss. The entry's Body and Header are shared and must not be changed.
func (c *Cache) Lookup(ctx context.Context, key Key) (Entry, bool) {
	e, ok, err := c.backend.Load(ctx, key)
	if err != nil {
		c.errors.Add(1)
	}
	if err != nil || !ok || !e.Kept(c.now()) {
		return Entry{}, false
	}
	return e, true
}

// Store keeps an entry, see Entry.Keep. Its Generation is the one that was read before the request was sent
// upstream; when that has ended in the meantime, or the entry is not Storable, it is dropped. The bytes are copied.
func (c *Cache) Store(ctx context.Context, key Key, e Entry) {
	if e.Generation == 0 || !Storable(e) || !e.Kept(c.now()) {
		c.rejects.Add(1)
		return
	}
	if err := c.backend.Save(ctx, key, e); err != nil {
		c.errors.Add(1)
		return
	}
	c.stores.Add(1)
}

// Generation returns the current generation of a server. It must be read before the request is sent upstream and stored
// with the reply, so that a reply that overlaps an invalidation is never served. Zero means that it is not known, and that
// nothing can be stored.
func (c *Cache) Generation(server string) uint64 {
	if c.debts.owed(server) {
		return 0
	}
	g, err := c.backend.Generation(context.Background(), server)
	if err != nil {
		c.errors.Add(1)
		return 0
	}
	return g
}

// Invalidate makes sure that no entry of a server is served again, including one whose request is under way. An error
// means that this is not certain, and says which layer could not be reached: then it is tried again until it is, and
// meanwhile this cache serves and stores nothing of the server.
func (c *Cache) Invalidate(ctx context.Context, server string) error {
	c.invalidations.Add(1)
	if err := c.backend.Invalidate(ctx, server); err != nil {
		c.errors.Add(1)
		c.debts.owe(server)
		return fmt.Errorf("invalidate cache of server %q: %w", server, err)
	}
	return nil
}

// InvalidateAll is Invalidate for all servers.
func (c *Cache) InvalidateAll(ctx context.Context) error {
	c.invalidations.Add(1)
	if err := c.backend.InvalidateAll(ctx); err != nil {
		c.errors.Add(1)
		c.debts.owe(everything)
		return fmt.Errorf("invalidate cache: %w", err)
	}
	return nil
}

// Err returns why requests go without a part of the cache at the moment, and which; nil when they do not. Nothing fails
// for it: what is not found there is a miss.
func (c *Cache) Err() error {
	if b, ok := c.backend.(interface{ Err() error }); ok {
		return b.Err()
	}
	return nil
}

// Close closes the backend. The Cache must not be used after it.
func (c *Cache) Close() error {
	c.debts.close()
	if err := c.backend.Close(); err != nil {
		return fmt.Errorf("close cache: %w", err)
	}
	return nil
}
