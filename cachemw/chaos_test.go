package cachemw_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sark/cachemw"
	"sark/internal/testkit"
)

// load is what a gateway does under load: workers that answer one question from cache or else from an upstream whose answer
// keeps changing, and an invalidation after every change. The answer is a number that only grows, so that a stale one shows.
type load struct {
	t     *testing.T
	cache *cachemw.Cache
	// slow is how long a request that met trouble takes at least.
	slow time.Duration

	calm     atomic.Bool  // nothing changes at the moment
	answer   atomic.Int64 // what the upstream says
	floor    atomic.Int64 // answers below it have been invalidated for certain
	requests atomic.Int64
	hits     atomic.Int64
	stale    atomic.Int64
	purges   atomic.Int64
	longest  atomic.Int64 // nanoseconds
	// slowest is the most slow requests that one worker had.
	slowest atomic.Int64

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// startLoad starts the load; it ends with stopped.
func startLoad(t *testing.T, cache *cachemw.Cache, slow time.Duration) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{t: t, cache: cache, slow: slow, stop: stop}
	for range 8 {
		l.wg.Go(func() { l.work(ctx) })
	}
	l.wg.Go(func() { l.change(ctx) })
	t.Cleanup(l.stopped)
	return l
}

// stopped stops the load and waits for it.
func (l *load) stopped() {
	l.stop()
	l.wg.Wait()
}

// work sends requests one after the other.
func (l *load) work(ctx context.Context) {
	slow := int64(0)
	for ctx.Err() == nil {
		start := time.Now()
		l.request(ctx)
		took := time.Since(start)
		if took > l.slow {
			slow++
			raise(&l.slowest, slow)
		}
		raise(&l.longest, int64(took))
		l.requests.Add(1)
	}
}

// request is one request, with all that the proxy asks of its cache.
func (l *load) request(ctx context.Context) {
	floor := l.floor.Load()
	g := l.cache.Generation("a")
	for _, k := range []string{"private", "public"} {
		if e, ok := l.cache.Lookup(ctx, keyOf(k)); ok {
			if n, _ := strconv.ParseInt(string(e.Body), 10, 64); n < floor {
				l.stale.Add(1)
			}
			l.hits.Add(1)
			return
		}
	}
	l.cache.Store(ctx, keyOf("public"), cachemw.Entry{
		Status: 200, Body: strconv.AppendInt(nil, l.answer.Load(), 10), Stored: time.Now(), TTL: time.Minute,
		Scope: cachemw.Public, Generation: g,
	})
}

// change changes the answer and invalidates the old one, now and then.
func (l *load) change(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if l.calm.Load() {
			continue
		}
		n := l.answer.Add(1)
		if l.cache.Invalidate(ctx, "a") == nil {
			l.floor.Store(n)
			l.purges.Add(1)
		}
	}
}

// more waits until there were so many more of a number.
func (l *load) more(what string, number *atomic.Int64, n int64) {
	l.t.Helper()
	target := number.Load() + n
	eventually(l.t, what, func() bool { return number.Load() >= target })
}

// raise raises a maximum.
func raise(maximum *atomic.Int64, n int64) {
	for {
		old := maximum.Load()
		if n <= old || maximum.CompareAndSwap(old, n) {
			return
		}
	}
}

// chaosLimit is the lookup timeout of the tests with a server in trouble. A request asks the cache four times, so one that
// waits for each takes four times as long.
const chaosLimit = time.Second

// chaosCache makes a cache on a server, with or without a layer in the process.
func chaosCache(t *testing.T, s *testkit.RedisServer, layers int) *cachemw.Cache {
	var b cachemw.Backend
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: chaosLimit, Timeout: chaosLimit})
	b = r
	if layers == 2 {
		b = newTiered(t, r, cachemw.TieredOptions{})
	}
	return newCache(t, cachemw.Options{Backend: b})
}

// chaos runs a test with one layer and with two.
func chaos(t *testing.T, test func(t *testing.T, s *testkit.RedisServer, c *cachemw.Cache)) {
	for layers, name := range map[int]string{1: "L2 alone", 2: "L1 and L2"} {
		t.Run(name, func(t *testing.T) {
			s := testkit.StartRedis(t)
			test(t, s, chaosCache(t, s, layers))
		})
	}
}

// TestServerKilledUnderLoad kills the server, after a snapshot of what is invalidated soon after, and starts it again. No
// further invalidation hides what the snapshot brings back.
func TestServerKilledUnderLoad(t *testing.T) {
	chaos(t, func(t *testing.T, s *testkit.RedisServer, c *cachemw.Cache) {
		l := startLoad(t, c, chaosLimit/2)
		for range 3 {
			l.more("hits", &l.hits, 100)
			s.Do("SAVE")
			l.more("invalidations after the snapshot", &l.purges, 5)
			l.calm.Store(true)
			s.Kill()
			l.more("requests without the server", &l.requests, 10_000)
			s.Start()
			eventually(t, "the server is used again", func() bool { return c.Err() == nil })
			l.more("hits with the server back", &l.hits, 100)
			l.calm.Store(false)
		}
		l.more("hits", &l.hits, 100)
		l.stopped()
		if n := l.stale.Load(); n > 0 {
			t.Errorf("%d of %d hits were stale", n, l.hits.Load())
		}
		if took := time.Duration(l.longest.Load()); took > 2*chaosLimit {
			t.Errorf("a request took %s", took)
		}
		t.Logf("%d requests, %d hits, %d invalidations, the longest request %s",
			l.requests.Load(), l.hits.Load(), l.purges.Load(), time.Duration(l.longest.Load()))
	})
}

// TestServerStoppedUnderLoad has a server that keeps its connections and does not answer. Each worker pays for it once.
func TestServerStoppedUnderLoad(t *testing.T) {
	chaos(t, func(t *testing.T, s *testkit.RedisServer, c *cachemw.Cache) {
		l := startLoad(t, c, chaosLimit/2)
		l.more("hits", &l.hits, 100)
		s.Pause()
		eventually(t, "the breaker is open", func() bool { return c.Err() != nil })
		l.more("requests without the server", &l.requests, 10_000)
		s.Resume()
		eventually(t, "the server is used again", func() bool { return c.Err() == nil })
		l.more("hits", &l.hits, 100)
		l.stopped()
		if n := l.stale.Load(); n > 0 {
			t.Errorf("%d of %d hits were stale", n, l.hits.Load())
		}
		if n := l.slowest.Load(); n > 1 {
			t.Errorf("a worker had %d slow requests, want one: then the breaker is open", n)
		}
		if took := time.Duration(l.longest.Load()); took > 2*chaosLimit {
			t.Errorf("a request took %s, want the lookup timeout of %s once", took, chaosLimit)
		}
		t.Logf("%d requests, %d hits, the longest request %s", l.requests.Load(), l.hits.Load(), time.Duration(l.longest.Load()))
	})
}
