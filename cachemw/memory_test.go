package cachemw_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sark/cachemw"
	"sark/cachemw/cachetest"
	"sark/internal/mcp"
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

// TestFlood: whoever asks for many different things once, far more than there is room for, does not drive out what others ask
// for often.
func TestFlood(t *testing.T) {
	m, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	ctx := context.Background()
	g, err := m.Generation(ctx, "desk")
	if err != nil {
		t.Fatal(err)
	}
	save := func(n int) {
		e := cachemw.Entry{Status: 200, Body: make([]byte, 2048), Stored: time.Now(), TTL: time.Hour, Generation: g}
		if err := m.Save(ctx, testKey(n), e); err != nil {
			t.Fatal(err)
		}
	}
	const popular, flood = 50, 20_000
	there := func() (n int) {
		for i := range popular {
			if _, ok, _ := m.Load(ctx, testKey(i)); ok {
				n++
			}
		}
		return n
	}
	for n := range popular {
		save(n)
	}
	for n := range flood {
		if n%100 == 0 {
			there()
		}
		save(popular + n)
	}
	if n := there(); n < popular*9/10 {
		t.Errorf("of %d popular entries %d are left", popular, n)
	}
	if m.Usage().Evictions < flood/2 {
		t.Errorf("%d evictions: the test shows nothing", m.Usage().Evictions)
	}
}

// TestEvictionsOfClasses: what had to make room is counted where it came from, and what is kept of a server's single paths
// is that server's.
func TestEvictionsOfClasses(t *testing.T) {
	metrics := prometheus.NewRegistry()
	c, err := cachemw.New(cachemw.Options{MaxBytes: 64 << 10, Registerer: metrics})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for n := range 200 {
		class, name := "tools/list", "desk"
		if n%2 == 1 {
			class, name = "http", "desk /files"
		}
		c.Count(class, "desk", cachemw.Miss)
		c.Count(class, "desk", cachemw.Hit)
		c.Store(t.Context(), testKey(n), cachemw.Entry{
			Class: class, Status: 200, Body: make([]byte, 1024), Stored: time.Now(), TTL: time.Hour, Scope: cachemw.Public, Generation: c.Generation(name),
		})
	}
	s := c.Stats()
	got := map[string]uint64{}
	for _, k := range s.Classes {
		got[k.Class+" "+k.Server] = k.Evictions
	}
	if got["tools/list desk"] == 0 || got["http desk"] == 0 || got["tools/list desk"]+got["http desk"] != s.Evictions || s.EvictionsByServer["desk"] != s.Evictions {
		t.Errorf("of %d evictions: %v, %v", s.Evictions, got, s.EvictionsByServer)
	}
	if s.L1Hits != 200 || s.L2Hits != 0 {
		t.Errorf("%d hits in memory and %d elsewhere, of 200", s.L1Hits, s.L2Hits)
	}
	if n, err := testutil.GatherAndCount(metrics, "sark_cachemw_memory_evictions_total"); err != nil || n != 2 {
		t.Errorf("the metric has %d series, %v, want 2", n, err)
	}
}

// TestLayouts: what a list takes in memory beside its bytes is known at its first hit, and counts from then on. A list for which
// there is no room any more is given out once, and no entry is kept for longer because it was asked for.
func TestLayouts(t *testing.T) {
	const room, list = 1 << 20, `{"ttlMs":60000,"cacheScope":"public","tools":[%s{}]}`
	now := time.Now()
	m, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: room, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	ctx := t.Context()
	generation, _ := m.Generation(ctx, "a")
	save := func(n, items int) {
		e := cachemw.Entry{
			Class: "tools/list", Status: 200, Stored: now, TTL: time.Minute, Scope: cachemw.Public, Generation: generation,
			Body: fmt.Appendf(nil, list, strings.Repeat("{},", items)),
		}
		if err := m.Save(ctx, testKey(n), e); err != nil {
			t.Fatal(err)
		}
	}
	load := func(n int) *mcp.Layout {
		e, ok, err := m.Load(ctx, testKey(n))
		if err != nil || ok && e.Layout == nil {
			t.Fatalf("a hit without a layout, %v", err)
		}
		return e.Layout
	}
	save(0, 100)
	before := m.Usage().Bytes
	if layout := load(0); m.Usage().Bytes-before != int64(layout.Size()) {
		t.Errorf("a layout of %d bytes made %d of %d", layout.Size(), m.Usage().Bytes, before)
	}
	if first, again := load(0), load(0); first != again {
		t.Error("a layout is read twice")
	}
	save(1, 4000) // with its layout more than an eighth
	if load(1) == nil || load(1) != nil {
		t.Error("a list whose layout is too large is no hit at first, or one afterwards")
	}
	for n := range 200 { // with their layouts ten times what there is room for
		save(n, 500)
		load(n)
	}
	if u := m.Usage(); u.Bytes > room || u.Entries < 10 {
		t.Errorf("%+v of %d bytes", u, room)
	}
	save(2, 1)
	now = now.Add(59 * time.Second)
	if load(2) == nil {
		t.Error("the entry left too early")
	}
	if now = now.Add(time.Second); load(2) != nil {
		t.Error("the first hit made the entry stay")
	}
}

func testKey(n int) cachemw.Key {
	return keyOf(fmt.Sprint(n))
}

func TestMemoryOptions(t *testing.T) {
	for _, size := range []int64{-1, 1, 4095} {
		if m, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: size}); err == nil {
			_ = m.Close()
			t.Errorf("MaxBytes %d: no error", size)
		}
	}
}
