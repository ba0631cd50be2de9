package cachemw_test

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sark/cachemw"
	"sark/internal/testkit"
)

// benchBackends are the backends on a server of their own, by name.
func benchBackends(b *testing.B) map[string]cachemw.Backend {
	client := dial(b, testkit.StartRedis(b).URL())
	shared := func(key []byte) *cachemw.Redis {
		return newRedis(b, cachemw.RedisOptions{Client: client, LookupTimeout: patient, Prefix: ownPrefix(), HMACKey: key})
	}
	return map[string]cachemw.Backend{
		"L2":        shared(nil),
		"L2 signed": shared([]byte(strings.Repeat("k", 32))),
		"L1":        newTiered(b, shared(nil), cachemw.TieredOptions{}),
	}
}

// BenchmarkBackendHit is a hit: the generation and an entry of 1 KiB.
func BenchmarkBackendHit(b *testing.B) {
	for name, backend := range benchBackends(b) {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			saved(b, backend, "a", strings.Repeat("x", 1024))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := backend.Generation(ctx, "a"); err != nil {
						b.Error(err)
					}
					if _, ok, err := backend.Load(ctx, keyOf("a")); !ok || err != nil {
						b.Errorf("Load = %v, %v", ok, err)
					}
				}
			})
		})
	}
}

// BenchmarkBackendMiss is what the cache adds to a request that it cannot answer: the generation, two lookups and a fill.
func BenchmarkBackendMiss(b *testing.B) {
	for name, backend := range benchBackends(b) {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			e := saved(b, backend, "a", strings.Repeat("x", 1024))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					e, k := e, randomKey()
					e.Stored = time.Now()
					e.Generation, _ = backend.Generation(ctx, "a")
					_, _, _ = backend.Load(ctx, k)
					_, _, _ = backend.Load(ctx, randomKey())
					_ = backend.Save(ctx, k, e)
				}
			})
		})
	}
}

// randomKey returns a key under which there is nothing.
func randomKey() (k cachemw.Key) {
	for i := range k {
		k[i] = byte(rand.Uint32())
	}
	return k
}

// BenchmarkBreakerOpen is what a lookup costs while the shared cache is gone.
func BenchmarkBreakerOpen(b *testing.B) {
	s := testkit.StartRedis(b)
	r := newRedis(b, cachemw.RedisOptions{Client: dial(b, s.URL())})
	s.Kill()
	eventually(b, "the breaker is open", func() bool { loaded(r, "a"); return r.Err() != nil })
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = r.Load(context.Background(), keyOf("a"))
	}
}

// BenchmarkReplicaInvalidation is how long another gateway goes on with what this one was told to forget: from the call to
// its first miss. The goal is 100 ms for 99 of 100.
func BenchmarkReplicaInvalidation(b *testing.B) {
	this, other := replicas(b, testkit.StartRedis(b).URL(), cachemw.TieredOptions{})
	ctx := context.Background()
	var took []time.Duration
	for b.Loop() {
		saved(b, this, "x", "one")
		known(b, other, "x")
		if got := loaded(other, "x"); got != "one" {
			b.Fatalf("before, the other gateway says %q", got)
		}
		start := time.Now()
		if err := this.Invalidate(ctx, "x"); err != nil {
			b.Fatal(err)
		}
		for said := "one"; said != "a miss"; said = loaded(other, "x") {
			if time.Since(start) > testkit.Patience { // go test -timeout does not end benchmarks
				b.Fatalf("after %d invalidations one is not heard: the other gateway says %q, Err is %v", len(took), said, other.Err())
			}
			runtime.Gosched() // it may be heard on this very processor
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	for name, part := range map[string]int{"p50-ms": 50, "p99-ms": 99, "max-ms": 100} {
		b.ReportMetric(float64(took[(len(took)-1)*part/100])/float64(time.Millisecond), name)
	}
}

// BenchmarkZipf reports how often entries are found where they are asked for as they usually are: a few of 200,000 often,
// most hardly ever. There is room for a twentieth of them.
func BenchmarkZipf(b *testing.B) {
	const keys, room = 200_000, 10_000
	m, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: room * 1536}) // 1 KiB each, and the overhead
	if err != nil {
		b.Fatal(err)
	}
	c := newCache(b, cachemw.Options{Backend: m})
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.05, 1, keys-1)
	ctx := context.Background()
	e := cachemw.Entry{
		Status: 200, Body: make([]byte, 1024), Stored: time.Now(), TTL: time.Hour, Scope: cachemw.Public, Generation: c.Generation("a"),
	}
	for b.Loop() {
		n := zipf.Uint64()
		k := cachemw.Key{byte(n), byte(n >> 8), byte(n >> 16)}
		if _, ok := c.Lookup(ctx, k); ok {
			c.Count("any", "a", cachemw.Hit)
			continue
		}
		c.Count("any", "a", cachemw.Miss)
		c.Store(ctx, k, e)
	}
	b.ReportMetric(c.Stats().HitRate()*100, "hit%")
}

// BenchmarkMemoryMiss is what a miss costs in the process once there is no room left: the generation, a lookup, and a fill of a
// kilobyte that drives out another.
func BenchmarkMemoryMiss(b *testing.B) {
	m, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	c := newCache(b, cachemw.Options{Backend: m})
	ctx := context.Background()
	e := cachemw.Entry{
		Class: "resources/read", Status: 200, TTL: time.Hour, Scope: cachemw.Public,
		Body: []byte(`{"ttlMs":3600000,"cacheScope":"public","contents":[{"text":"` + strings.Repeat("x", 1024) + `"}]}`),
	}
	k := randomKey()
	miss := func() {
		k = sha256.Sum256(k[:])
		e.Stored, e.Generation = time.Now(), c.Generation("a")
		if _, ok := c.Lookup(ctx, k); ok {
			b.Fatal("a hit")
		}
		c.Store(ctx, k, e)
	}
	for range 20_000 {
		miss()
	}
	b.ReportAllocs()
	for b.Loop() {
		miss()
	}
}
