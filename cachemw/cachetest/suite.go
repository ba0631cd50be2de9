package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
)

// Factory makes an empty backend that reads the time from now. The suite closes it.
type Factory func(t *testing.T, now func() time.Time) cachemw.Backend

// RunBounded runs the part of the suite that fills the backend. Its factory makes backends that hold 1 to 8 MiB.
func RunBounded(t *testing.T, make Factory) {
	t.Run("bounded", func(t *testing.T) { testBounded(t, newFixture(t, make)) })
}

// Run runs all the rest.
func Run(t *testing.T, make Factory) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"empty":                          testEmpty,
		"save and load":                  testSaveAndLoad,
		"replace":                        testReplace,
		"the backend copies":             testCopies,
		"expiry":                         testExpiry,
		"generations are unique":         testUnique,
		"invalidate one server":          testInvalidate,
		"invalidate all":                 testInvalidateAll,
		"fill overlaps an invalidation":  testOverlap,
		"unknown generation":             testUnknownGeneration,
		"entry too large":                testTooLarge,
		"concurrent fill and invalidate": testConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, newFixture(t, make)) })
	}
}

// fixture is a backend, a clock and what most tests need.
type fixture struct {
	cachemw.Backend
	clock atomic.Int64 // nanoseconds since noon
}

// noon is when every test begins.
func noon() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

func newFixture(t *testing.T, make Factory) *fixture {
	f := &fixture{}
	f.Backend = make(t, f.now)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

func (f *fixture) now() time.Time          { return noon().Add(time.Duration(f.clock.Load())) }
func (f *fixture) advance(d time.Duration) { f.clock.Add(int64(d)) }

// entry returns an entry of the server's current generation.
func (f *fixture) entry(t *testing.T, server, body string) cachemw.Entry {
	t.Helper()
	return cachemw.Entry{
		Status: 200, ContentType: "application/json", Body: []byte(body), Stored: f.now(), TTL: time.Minute,
		Scope: cachemw.Private, Generation: f.generation(t, server),
	}
}

func (f *fixture) generation(t *testing.T, server string) uint64 {
	t.Helper()
	g, err := f.Generation(context.Background(), server)
	if err != nil || g == 0 {
		t.Fatalf("Generation(%q) = %d, %v", server, g, err)
	}
	return g
}

func (f *fixture) save(t *testing.T, key cachemw.Key, e cachemw.Entry) {
	t.Helper()
	if err := f.Save(context.Background(), key, e); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

// expect checks what is stored under key: the body, or "" for nothing.
func (f *fixture) expect(t *testing.T, key cachemw.Key, body string) {
	t.Helper()
	e, ok, err := f.Load(context.Background(), key)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if ok != (body != "") || string(e.Body) != body {
		t.Errorf("Load = %q, %v; want %q", e.Body, ok, body)
	}
}

func (f *fixture) invalidate(t *testing.T, server string) {
	t.Helper()
	if err := f.Invalidate(context.Background(), server); err != nil {
		t.Fatalf("Invalidate: %v", err)
	}
}

// key returns some key.
func key(n int) cachemw.Key {
	_, public := cachemw.NewKeys(cachemw.KeyParts{Partition: []byte("nobody's"), Server: fmt.Sprint("server ", n)})
	return public
}

func testEmpty(t *testing.T, f *fixture) { f.expect(t, key(1), "") }

func testSaveAndLoad(t *testing.T, f *fixture) {
	want := f.entry(t, "a", "one")
	want.Header = []cachemw.HeaderField{{Name: "ETag", Value: `"1"`}}
	f.save(t, key(1), want)
	got, ok, err := f.Load(context.Background(), key(1))
	if err != nil || !ok {
		t.Fatalf("Load = %v, %v", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	f.expect(t, key(2), "")
}

func testReplace(t *testing.T, f *fixture) {
	f.save(t, key(1), f.entry(t, "a", "one"))
	f.save(t, key(1), f.entry(t, "a", "two"))
	f.expect(t, key(1), "two")
}

func testCopies(t *testing.T, f *fixture) {
	e := f.entry(t, "a", "one")
	f.save(t, key(1), e)
	copy(e.Body, "???")
	f.expect(t, key(1), "one")
}

func testExpiry(t *testing.T, f *fixture) {
	f.save(t, key(1), f.entry(t, "a", "one"))
	f.advance(time.Minute - time.Millisecond)
	f.expect(t, key(1), "one")
	f.advance(time.Millisecond)
	f.expect(t, key(1), "")
}

func testUnique(t *testing.T, f *fixture) {
	seen := map[uint64]bool{}
	for i := range 1000 {
		server := fmt.Sprint(i % 10)
		g := f.generation(t, server)
		if seen[g] {
			t.Fatalf("generation %d was used twice", g)
		}
		seen[g] = true
		if again := f.generation(t, server); again != g {
			t.Fatalf("the generation changed from %d to %d by itself", g, again)
		}
		f.invalidate(t, server)
		if i == 500 {
			f.advance(-time.Hour) // A clock may step back.
		}
	}
}

func testInvalidate(t *testing.T, f *fixture) {
	f.save(t, key(1), f.entry(t, "a", "one"))
	f.save(t, key(2), f.entry(t, "b", "two"))
	f.invalidate(t, "a")
	f.invalidate(t, "never seen")
	f.expect(t, key(1), "")
	f.expect(t, key(2), "two")
	f.save(t, key(1), f.entry(t, "a", "three"))
	f.expect(t, key(1), "three")
}

func testInvalidateAll(t *testing.T, f *fixture) {
	late := f.entry(t, "a", "late")
	f.save(t, key(1), f.entry(t, "a", "one"))
	f.save(t, key(2), f.entry(t, "b", "two"))
	if err := f.InvalidateAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.save(t, key(3), late)
	for n := range 3 {
		f.expect(t, key(n+1), "")
	}
	f.save(t, key(1), f.entry(t, "a", "new"))
	f.expect(t, key(1), "new")
}

// testOverlap is a request that was sent upstream before an invalidation and answered after it.
func testOverlap(t *testing.T, f *fixture) {
	before := f.entry(t, "a", "old")
	f.invalidate(t, "a")
	f.save(t, key(1), before)
	f.expect(t, key(1), "")
	f.generation(t, "a") // a new generation does not bring it back
	f.expect(t, key(1), "")
}

func testUnknownGeneration(t *testing.T, f *fixture) {
	e := f.entry(t, "a", "one")
	e.Generation = 12345
	f.save(t, key(1), e)
	f.expect(t, key(1), "")
}

func testTooLarge(t *testing.T, f *fixture) {
	f.save(t, key(1), f.entry(t, "a", "one"))
	f.save(t, key(2), f.entry(t, "a", string(make([]byte, 64<<20))))
	f.expect(t, key(2), "")
	f.expect(t, key(1), "one")
}

func testBounded(t *testing.T, f *fixture) {
	body := string(bytes.Repeat([]byte("x"), 16<<10))
	for n := range 4096 {
		f.save(t, key(n), f.entry(t, "a", body))
	}
	u := f.Usage()
	if u.Bytes > 8<<20 || u.Evictions == 0 {
		t.Errorf("after 64 MiB of entries: %+v", u)
	}
	if u.Entries == 0 {
		t.Error("nothing is kept")
	}
}

// testConcurrent has fillers and an invalidator race. An entry that is loaded after an invalidation returned must not be of
// a generation that was read before it.
func testConcurrent(t *testing.T, f *fixture) {
	var ended endings
	var wg sync.WaitGroup
	ctx := context.Background()
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				e := f.entry(t, "a", "x")
				if err := f.Save(ctx, key(1), e); err != nil {
					t.Error(err)
					return
				}
				before := ended.count()
				if got, ok, _ := f.Load(ctx, key(1)); ok && ended.among(before, got.Generation) {
					t.Errorf("an entry of generation %d was served after it had ended", got.Generation)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for range 250 {
			g := f.generation(t, "a")
			if err := f.Invalidate(ctx, "a"); err != nil {
				t.Error(err)
				return
			}
			ended.add(g)
		}
	})
	wg.Wait()
}

// endings are the generations that have ended, in that order. Their values say nothing about it.
type endings struct {
	mu    sync.Mutex
	order map[uint64]int // guarded by mu
}

func (e *endings) add(generation uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.order == nil {
		e.order = map[uint64]int{}
	}
	e.order[generation] = len(e.order)
}

// count returns how many have ended.
func (e *endings) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.order)
}

// among reports whether a generation is one of the first n that ended.
func (e *endings) among(n int, generation uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.order[generation]
	return ok && at < n
}
