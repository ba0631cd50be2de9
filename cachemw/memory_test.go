package cachemw_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sark/cachemw"
	"sark/cachemw/cachetest"
)

func TestMemory(t *testing.T) {
	small := func(t *testing.T, now func() time.Time) cachemw.Backend {
		m, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: 4 << 20, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	cachetest.Run(t, small)
	cachetest.RunBounded(t, small)
}

// TestEvictedGeneration has more servers than generations are kept for. A generation that had to go must not come back to
// life with its entries.
func TestEvictedGeneration(t *testing.T) {
	m, err := cachemw.NewMemory(cachemw.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	ctx := context.Background()
	generation := func(n int) uint64 {
		g, err := m.Generation(ctx, fmt.Sprint(n))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	const servers = 20_000
	first := make([]uint64, servers)
	for n := range servers {
		first[n] = generation(n)
		e := cachemw.Entry{Status: 200, Body: []byte("x"), Stored: time.Now(), TTL: time.Hour, Generation: first[n]}
		if err := m.Save(ctx, testKey(n), e); err != nil {
			t.Fatal(err)
		}
	}
	evicted := 0
	for n := range servers {
		e, served, _ := m.Load(ctx, testKey(n))
		if g := generation(n); g != first[n] {
			evicted++
			if served {
				t.Fatalf("an entry of generation %d is served, but the current one is %d", e.Generation, g)
			}
			if _, back, _ := m.Load(ctx, testKey(n)); back {
				t.Fatal("a new generation brought an old entry back")
			}
		}
	}
	if evicted == 0 {
		t.Error("no generation was evicted: the test shows nothing")
	}
}

func testKey(n int) cachemw.Key {
	return cachemw.NewKey(cachemw.KeyParts{Scope: cachemw.Public, Server: fmt.Sprint(n)})
}

func TestMemoryOptions(t *testing.T) {
	for _, size := range []int64{-1, 1, 4095} {
		if m, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: size}); err == nil {
			_ = m.Close()
			t.Errorf("MaxBytes %d: no error", size)
		}
	}
}
