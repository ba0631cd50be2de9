package cachemw_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sark/cachemw"
	"sark/cachemw/cachetest"
	"sark/internal/testkit"
)

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(testkit.Patience)
	defer deadline.Stop()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", testkit.Patience, what)
		}
	}
}

// newTiered makes a backend of two layers that hears the others.
func newTiered(t testing.TB, l2 interface {
	cachemw.Backend
	cachemw.Bus
}, o cachemw.TieredOptions,
) *cachemw.Tiered {
	t.Helper()
	l1, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: 4 << 20, Now: o.Now})
	if err != nil {
		t.Fatal(err)
	}
	if o.Bus == nil {
		o.Bus = l2
	}
	b, err := cachemw.NewTiered(l1, l2, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	eventually(t, "the bus is up", func() bool { return b.Err() == nil })
	return b
}

func TestTiered(t *testing.T) {
	client := dial(t, testkit.RedisURL(t))
	tiered := func(t *testing.T, now func() time.Time) cachemw.Backend {
		r := newRedis(t, cachemw.RedisOptions{Client: client, LookupTimeout: patient, Prefix: ownPrefix(), Now: now})
		return newTiered(t, r, cachemw.TieredOptions{Now: now})
	}
	cachetest.Run(t, tiered)
	cachetest.RunBounded(t, tiered)
}

// replicas are two gateways on one server.
func replicas(t testing.TB, url string, o cachemw.TieredOptions) (a, b *cachemw.Tiered) {
	prefix := ownPrefix()
	gateway := func() *cachemw.Tiered {
		return newTiered(t, newRedis(t, cachemw.RedisOptions{Client: dial(t, url), LookupTimeout: patient, Prefix: prefix}), o)
	}
	return gateway(), gateway()
}

// known asks b for the generation of a server, as a gateway does before each lookup.
func known(t testing.TB, b cachemw.Backend, server string) {
	t.Helper()
	if _, err := b.Generation(context.Background(), server); err != nil {
		t.Fatal(err)
	}
}

func TestTieredServesFromL1(t *testing.T) {
	a, b := replicas(t, testkit.RedisURL(t), cachemw.TieredOptions{})
	saved(t, a, "x", "one")
	known(t, b, "x")
	var got [][2]uint64
	hits := func(c *cachemw.Tiered) {
		if body := loaded(c, "x"); body != "one" {
			t.Errorf("Load says %q", body)
		}
		l1, l2 := c.Hits()
		got = append(got, [2]uint64{l1, l2})
	}
	hits(a) // Who filled it has it in L1 already;
	hits(b) // the other finds it in L2 first,
	hits(b) // and then in L1.
	if diff := cmp.Diff([][2]uint64{{1, 0}, {0, 1}, {1, 1}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestTieredInvalidation invalidates in one gateway what the other holds in L1.
func TestTieredInvalidation(t *testing.T) {
	a, b := replicas(t, testkit.RedisURL(t), cachemw.TieredOptions{})
	ctx := context.Background()
	for what, invalidate := range map[string]func() error{
		"one server": func() error { return a.Invalidate(ctx, "x") },
		"all":        func() error { return a.InvalidateAll(ctx) },
	} {
		saved(t, a, "x", "one")
		known(t, b, "x")
		if got := loaded(b, "x"); got != "one" {
			t.Fatalf("%s: before, the other gateway says %q", what, got)
		}
		if err := invalidate(); err != nil {
			t.Fatal(err)
		}
		if got := loaded(a, "x"); got != "a miss" {
			t.Errorf("%s: the own gateway says %q", what, got)
		}
		eventually(t, what+" is heard", func() bool { return loaded(b, "x") == "a miss" })
	}
}

// mute is a bus on which what is published gets lost.
type mute struct{ cachemw.Bus }

func (mute) Publish(context.Context, string) error { return nil }

// TestTieredWithoutBus loses an invalidation on the bus. L1 goes on for no longer than its TTL.
func TestTieredWithoutBus(t *testing.T) {
	url, prefix := testkit.RedisURL(t), ownPrefix()
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	gateway := func() *cachemw.Tiered {
		r := newRedis(t, cachemw.RedisOptions{Client: dial(t, url), LookupTimeout: patient, Prefix: prefix, Now: clock})
		return newTiered(t, r, cachemw.TieredOptions{Bus: mute{r}, TTL: 5 * time.Second, Now: clock})
	}
	a, b := gateway(), gateway()
	saved(t, a, "x", "one")
	known(t, b, "x")
	got := []string{loaded(b, "x")}
	before, _ := b.Generation(context.Background(), "x")
	if err := a.Invalidate(context.Background(), "x"); err != nil {
		t.Fatal(err)
	}
	got = append(got, loaded(b, "x"))
	mu.Lock()
	now = now.Add(5 * time.Second)
	mu.Unlock()
	got = append(got, loaded(b, "x"))
	if diff := cmp.Diff([]string{"one", "one", "a miss"}, got); diff != "" {
		t.Error(diff)
	}
	if after, _ := b.Generation(context.Background(), "x"); after == before {
		t.Error("the generation is kept for longer than the TTL")
	}
}

// down is a shared layer of which a part cannot be reached.
type down struct {
	cachemw.Backend
	cachemw.Bus
	invalidate, publish error
}

func (d down) Invalidate(ctx context.Context, server string) error {
	return errors.Join(d.invalidate, d.Backend.Invalidate(ctx, server))
}

func (d down) InvalidateAll(ctx context.Context) error {
	return errors.Join(d.invalidate, d.Backend.InvalidateAll(ctx))
}

func (d down) Publish(ctx context.Context, m string) error {
	return errors.Join(d.publish, d.Bus.Publish(ctx, m))
}

// TestPurgeNamesTheLayer shows what a purge says that could not reach everything.
func TestPurgeNamesTheLayer(t *testing.T) {
	client := dial(t, testkit.RedisURL(t))
	refused := errors.New("connection refused")
	for want, d := range map[string]down{
		"L2, the shared cache: connection refused":     {invalidate: refused},
		"L1 of the other gateways: connection refused": {publish: refused},
	} {
		r := newRedis(t, cachemw.RedisOptions{Client: client, LookupTimeout: patient, Prefix: ownPrefix()})
		d.Backend, d.Bus = r, r
		b := newTiered(t, d, cachemw.TieredOptions{})
		saved(t, b, "x", "one")
		for what, err := range map[string]error{
			"Invalidate": b.Invalidate(context.Background(), "x"), "InvalidateAll": b.InvalidateAll(context.Background()),
		} {
			if err == nil || !errors.Is(err, refused) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", what, err, want)
			}
		}
		if got := loaded(b, "x"); got != "a miss" {
			t.Errorf("afterwards the own gateway says %q", got)
		}
	}
}

// TestTieredDropsL1 breaks the connection on which invalidations are heard: L1 is dropped, and used again afterwards.
func TestTieredDropsL1(t *testing.T) {
	s := testkit.StartRedis(t)
	metrics := prometheus.NewRegistry()
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
	b := newTiered(t, r, cachemw.TieredOptions{Registerer: metrics})
	saved(t, b, "x", "one")
	s.Do("CLIENT", "KILL", "TYPE", "pubsub")
	flushes := func() bool {
		return testutil.GatherAndCompare(metrics, strings.NewReader(`
# HELP sark_cachemw_l1_flushes_total Times that the entries in this process were dropped because an invalidation may have been missed.
# TYPE sark_cachemw_l1_flushes_total counter
sark_cachemw_l1_flushes_total 3
`), "sark_cachemw_l1_flushes_total") == nil
	}
	eventually(t, "L1 was dropped at the start, at the loss and at the return", flushes)
	known(t, b, "x")
	before, _ := b.Hits()
	got := []string{loaded(b, "x"), loaded(b, "x")}
	if diff := cmp.Diff([]string{"one", "one"}, got); diff != "" {
		t.Error(diff)
	}
	if after, _ := b.Hits(); after != before+1 {
		t.Errorf("%d hits in L1, want one: the first finds it empty", after-before)
	}
}

// TestTieredTornMessage has an invalidation whose rest comes so late that a heartbeat is sent in between. What is left of it
// when the client reads on looks like an answer to the heartbeat: the invalidation is not heard, and L1 must not be used.
func TestTieredTornMessage(t *testing.T) {
	for what, after := range map[string]string{"kind": "message\r\n", "channel": "invalidations\r\n"} {
		t.Run("after the "+what, func(t *testing.T) {
			t.Parallel() // a heartbeat takes a second
			s := testkit.StartRedis(t)
			relay := testkit.StartRedisRelay(t, s)
			near := newTiered(t, newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient}), cachemw.TieredOptions{})
			far := newTiered(t, newRedis(t, cachemw.RedisOptions{Client: dial(t, relay.URL()), LookupTimeout: patient}), cachemw.TieredOptions{})
			saved(t, near, "x", "one")
			known(t, far, "x")
			if got := loaded(far, "x"); got != "one" {
				t.Fatalf("before, the other gateway says %q", got)
			}
			mend, heartbeats := relay.Tear(after), relay.Asked("PING")
			if err := near.Invalidate(context.Background(), "x"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a heartbeat is sent", func() bool { return relay.Asked("PING") > heartbeats })
			mend()
			eventually(t, "the other gateway drops what it holds", func() bool { return loaded(far, "x") == "a miss" })
		})
	}
}

// TestTieredIdle hears nothing for several heartbeats: an answered one costs nothing, in either version of the protocol.
func TestTieredIdle(t *testing.T) {
	for _, protocol := range []string{"2", "3"} {
		t.Run("RESP"+protocol, func(t *testing.T) {
			t.Parallel() // a heartbeat takes a second
			relay := testkit.StartRedisRelay(t, testkit.StartRedis(t))
			metrics := prometheus.NewRegistry()
			r := newRedis(t, cachemw.RedisOptions{Client: dial(t, relay.URL()+"?protocol="+protocol), LookupTimeout: patient})
			newTiered(t, r, cachemw.TieredOptions{Registerer: metrics})
			eventually(t, "the third heartbeat is sent", func() bool { return relay.Asked("PING") >= 3 })
			if n, err := metricValue(metrics, "sark_cachemw_l1_flushes_total"); n != 1 || err != nil {
				t.Errorf("L1 was dropped %v times (%v), want once, at the start", n, err)
			}
		})
	}
}

// metricValue returns the value of a counter without labels.
func metricValue(from prometheus.Gatherer, name string) (float64, error) {
	families, err := from.Gather()
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue(), err
		}
	}
	return 0, errors.Join(err, errors.New("there is no "+name))
}

func TestTieredOptions(t *testing.T) {
	l1, err := cachemw.NewMemory(cachemw.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l1.Close() }()
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, "redis://127.0.0.1:1")})
	for name, make := range map[string]func() (*cachemw.Tiered, error){
		"no L1":  func() (*cachemw.Tiered, error) { return cachemw.NewTiered(nil, r, cachemw.TieredOptions{Bus: r}) },
		"no L2":  func() (*cachemw.Tiered, error) { return cachemw.NewTiered(l1, nil, cachemw.TieredOptions{Bus: r}) },
		"no bus": func() (*cachemw.Tiered, error) { return cachemw.NewTiered(l1, r, cachemw.TieredOptions{}) },
		"negative TTL": func() (*cachemw.Tiered, error) {
			return cachemw.NewTiered(l1, r, cachemw.TieredOptions{Bus: r, TTL: -1})
		},
		"long TTL": func() (*cachemw.Tiered, error) {
			return cachemw.NewTiered(l1, r, cachemw.TieredOptions{Bus: r, TTL: time.Minute})
		},
	} {
		if b, err := make(); err == nil {
			_ = b.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
