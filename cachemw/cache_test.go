package cachemw_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/cachemw"
)

// noon is when tests begin.
var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// newCache makes a cache that is closed at the end of the test.
func newCache(t testing.TB, o cachemw.Options) *cachemw.Cache {
	t.Helper()
	c, err := cachemw.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// entryOf returns an entry of the server's current generation.
func entryOf(c *cachemw.Cache, server, body string) cachemw.Entry {
	return cachemw.Entry{
		Status: 200, ContentType: "application/json", Body: []byte(body), Stored: noon, TTL: 30 * time.Second,
		Scope: cachemw.Private, Generation: c.Generation(server),
	}
}

func TestCache(t *testing.T) {
	now := noon
	c := newCache(t, cachemw.Options{Now: func() time.Time { return now }})
	ctx := context.Background()
	key := base().key()
	var got []string
	look := func() {
		if e, ok := c.Lookup(ctx, key); ok {
			got = append(got, string(e.Body)+" aged "+e.Age(now).String())
			return
		}
		got = append(got, "miss")
	}

	look()
	c.Store(ctx, key, entryOf(c, "github", "one"))
	look()
	now = noon.Add(29 * time.Second)
	look()
	now = noon.Add(30 * time.Second)
	look()
	now = noon
	c.Store(ctx, key, entryOf(c, "github", "two"))
	look()
	if err := c.Invalidate(ctx, "github"); err != nil {
		t.Error(err)
	}
	look()
	late := entryOf(c, "github", "late")
	if err := c.InvalidateAll(ctx); err != nil {
		t.Error(err)
	}
	c.Store(ctx, key, late)
	look()
	want := []string{"miss", "one aged 0s", "one aged 29s", "miss", "two aged 0s", "miss", "miss"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stats := c.Stats()
	stats.Usage = cachemw.Usage{}
	if diff := cmp.Diff(cachemw.Stats{Stores: 3, Invalidations: 2}, stats, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestCacheStoresOnlyWhatIsStorable(t *testing.T) {
	c := newCache(t, cachemw.Options{Now: func() time.Time { return noon }})
	ctx := context.Background()
	for name, change := range map[string]func(*cachemw.Entry){
		"error":         func(e *cachemw.Entry) { e.Status = 500 },
		"cookie":        func(e *cachemw.Entry) { e.Header = []cachemw.HeaderField{{Name: "Set-Cookie", Value: "a=b"}} },
		"stale":         func(e *cachemw.Entry) { e.Stored = noon.Add(-time.Hour) },
		"no generation": func(e *cachemw.Entry) { e.Generation = 0 },
	} {
		e := entryOf(c, "github", "x")
		change(&e)
		c.Store(ctx, base().key(), e)
		if _, ok := c.Lookup(ctx, base().key()); ok {
			t.Errorf("%s: was stored", name)
		}
	}
	if n := c.Stats().Rejects; n != 4 {
		t.Errorf("%d rejects, want 4", n)
	}
}

// TestPartitionsDoNotMeet looks for one caller's entry with the keys of others.
func TestPartitionsDoNotMeet(t *testing.T) {
	c := newCache(t, cachemw.Options{Now: func() time.Time { return noon }})
	ctx := context.Background()
	alice, bob, public := base(), base(), base()
	alice.Partition, bob.Partition, public.Scope = []byte("alice"), []byte("bob"), cachemw.Public
	c.Store(ctx, alice.key(), entryOf(c, "github", "for alice"))
	for name, p := range map[string]request{"bob": bob, "public": public} {
		if e, ok := c.Lookup(ctx, p.key()); ok {
			t.Errorf("%s got %q", name, e.Body)
		}
	}
	if _, ok := c.Lookup(ctx, alice.key()); !ok {
		t.Error("alice did not get her own")
	}
}

// broken is a backend in trouble.
type broken struct{ err error }

func (b broken) Load(context.Context, cachemw.Key) (cachemw.Entry, bool, error) {
	return cachemw.Entry{Status: 200, TTL: time.Hour, Stored: noon}, true, b.err
}
func (b broken) Save(context.Context, cachemw.Key, cachemw.Entry) error { return b.err }
func (b broken) Generation(context.Context, string) (uint64, error)     { return 7, b.err }
func (b broken) Invalidate(context.Context, string) error               { return b.err }
func (b broken) InvalidateAll(context.Context) error                    { return b.err }
func (b broken) Usage() cachemw.Usage                                   { return cachemw.Usage{} }
func (b broken) Close() error                                           { return nil }

// TestTroubleIsAMiss shows what a broken backend does: nothing is served or stored, and a purge says that it failed.
func TestTroubleIsAMiss(t *testing.T) {
	trouble := errors.New("connection refused")
	c := newCache(t, cachemw.Options{Backend: broken{trouble}, Now: func() time.Time { return noon }})
	ctx := context.Background()
	if _, ok := c.Lookup(ctx, cachemw.Key{}); ok {
		t.Error("Lookup: a hit")
	}
	if g := c.Generation("github"); g != 0 {
		t.Errorf("Generation = %d, want 0", g)
	}
	c.Store(ctx, cachemw.Key{}, entryOf(c, "github", "x"))
	if err := c.Invalidate(ctx, "github"); !errors.Is(err, trouble) {
		t.Errorf("Invalidate: %v", err)
	}
	if err := c.InvalidateAll(ctx); !errors.Is(err, trouble) {
		t.Errorf("InvalidateAll: %v", err)
	}
	want := cachemw.Stats{Rejects: 1, Invalidations: 2, Errors: 5}
	if diff := cmp.Diff(want, c.Stats(), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	c := newCache(t, cachemw.Options{Now: func() time.Time { return noon }})
	ctx := context.Background()
	key := base().key()
	c.Store(ctx, key, entryOf(c, "github", "x"))
	n := testing.AllocsPerRun(1000, func() {
		c.Generation("github")
		if _, ok := c.Lookup(ctx, key); !ok {
			t.Fatal("a miss")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	c := newCache(t, cachemw.Options{MaxBytes: 1 << 20})
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 2000 {
				e := entryOf(c, "github", "x")
				e.Stored = time.Now()
				c.Store(ctx, testKey(n), e)
				c.Lookup(ctx, testKey(n/2))
				if n%500 == g {
					_ = c.Invalidate(ctx, "github")
				}
				c.Stats()
			}
		})
	}
	wg.Wait()
}

func BenchmarkLookup(b *testing.B) {
	c := newCache(b, cachemw.Options{})
	ctx := context.Background()
	key := base().key()
	e := entryOf(c, "github", "x")
	e.Stored, e.TTL = time.Now(), time.Hour
	c.Store(ctx, key, e)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Lookup(ctx, key); !ok {
			b.Fatal("a miss")
		}
	}
}
