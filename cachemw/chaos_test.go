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

	calm     atomic.Bool  // nothing changes at the moment
	answer   atomic.Int64 // what the upstream says
	floor    atomic.Int64 // answers below it have been invalidated for certain
	requests atomic.Int64
	hits     atomic.Int64
	stale    atomic.Int64
	purges   atomic.Int64

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// workers is how many requests there are at once.
const workers = 8

// startLoad starts the load; it ends with stopped.
func startLoad(t *testing.T, cache *cachemw.Cache) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{t: t, cache: cache, stop: stop}
	for range workers {
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
	for ctx.Err() == nil {
		l.request(ctx)
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

// chaosLimit is the lookup timeout of the tests with a server in trouble.
const chaosLimit = time.Second

// chaosCache makes a cache on a server, with or without a layer in the process.
func chaosCache(t *testing.T, url string, layers int) *cachemw.Cache {
	var b cachemw.Backend
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, url), LookupTimeout: chaosLimit, Timeout: chaosLimit})
	b = r
	if layers == 2 {
		b = newTiered(t, r, cachemw.TieredOptions{})
	}
	return newCache(t, cachemw.Options{Backend: b})
}

// chaos runs a test with one layer and with two, each with a server of its own.
func chaos(t *testing.T, test func(t *testing.T, s *testkit.RedisServer, cache func(url string) *cachemw.Cache)) {
	for layers, name := range map[int]string{1: "L2 alone", 2: "L1 and L2"} {
		t.Run(name, func(t *testing.T) {
			test(t, testkit.StartRedis(t), func(url string) *cachemw.Cache { return chaosCache(t, url, layers) })
		})
	}
}

// TestServerKilledUnderLoad kills the server, after a snapshot of what is invalidated soon after, and starts it again. No
// further invalidation hides what the snapshot brings back.
func TestServerKilledUnderLoad(t *testing.T) {
	chaos(t, func(t *testing.T, s *testkit.RedisServer, cache func(url string) *cachemw.Cache) {
		c := cache(s.URL())
		l := startLoad(t, c)
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
		t.Logf("%d requests, %d hits, %d invalidations", l.requests.Load(), l.hits.Load(), l.purges.Load())
	})
}

// TestServerStoppedUnderLoad has a server that keeps its connections and does not answer. Each worker waits for it once.
func TestServerStoppedUnderLoad(t *testing.T) {
	chaos(t, func(t *testing.T, s *testkit.RedisServer, cache func(url string) *cachemw.Cache) {
		r := testkit.StartRedisRelay(t, s)
		c := cache(r.URL())
		l := startLoad(t, c)
		l.more("invalidations", &l.purges, 5)
		l.calm.Store(true)
		l.more("hits", &l.hits, 100)
		l.calm.Store(false)
		r.Stall()
		asked := r.Asked("GETRANGE", "SET")
		eventually(t, "the breaker is open", func() bool { return c.Err() != nil })
		l.more("requests without the server", &l.requests, 10_000)
		if n := r.Asked("GETRANGE", "SET") - asked; n > workers {
			t.Errorf("the server was asked %d times, want once by each of %d workers: then the breaker is open", n, workers)
		}
		l.calm.Store(true)
		r.Resume()
		eventually(t, "the server is used again", func() bool { return c.Err() == nil })
		l.more("hits", &l.hits, 100)
		l.stopped()
		if n := l.stale.Load(); n > 0 {
			t.Errorf("%d of %d hits were stale", n, l.hits.Load())
		}
		t.Logf("%d requests, %d hits", l.requests.Load(), l.hits.Load())
	})
}
