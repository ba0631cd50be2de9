package limit_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/limit"
)

func newTable(t testing.TB, keys int) *limit.Table {
	t.Helper()
	table, err := limit.NewTable(limit.TableOptions{MaxKeys: keys, Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func rate(t testing.TB, count int, period time.Duration, burst int) limit.Rate {
	t.Helper()
	r, err := limit.NewRate(count, period, burst)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestARefusalSpendsNothing has a wide and a narrow quota: what the narrow one refuses, the wide one does not lose.
func TestARefusalSpendsNothing(t *testing.T) {
	table := newTable(t, 100)
	wide := limit.Quota{Name: "principal", Key: "ana", Rate: rate(t, 60, time.Minute, 4)}
	narrow := limit.Quota{Name: "tool", Key: "ana wipe", Rate: rate(t, 60, time.Hour, 1)}
	ask := func(d time.Duration, q ...limit.Quota) limit.Verdict { return table.Take(q, at(d)) }

	got := []limit.Verdict{
		ask(0, wide, narrow),
		ask(0, wide, narrow), ask(0, wide, narrow), ask(0, wide, narrow), // of these none counts
		table.Peek([]limit.Quota{wide}, at(0)), table.Peek([]limit.Quota{wide}, at(0)),
		ask(0, wide), ask(0, wide), ask(0, wide), ask(0, wide),
		ask(time.Minute, wide, narrow),
		ask(time.Hour),
	}

	refused := limit.Verdict{Tightest: 1, Reset: time.Minute, Retry: time.Minute}
	left := func(n int) limit.Verdict {
		return limit.Verdict{OK: true, Remaining: n, Reset: time.Duration(4-n) * time.Second}
	}
	want := []limit.Verdict{
		{OK: true, Tightest: 1, Remaining: 0, Reset: time.Minute},
		refused, refused, refused,
		left(2), left(2),
		left(2), left(1), left(0),
		{Reset: 4 * time.Second, Retry: time.Second},
		{OK: true, Tightest: 1, Remaining: 0, Reset: time.Minute},
		{OK: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// TestQuotasKeepApart: name, key and rate each make a bucket of its own.
func TestQuotasKeepApart(t *testing.T) {
	table := newTable(t, 100)
	slow, slower := rate(t, 1, time.Hour, 1), rate(t, 1, 2*time.Hour, 1)
	for _, q := range []limit.Quota{{"a", "bc", slow}, {"ab", "c", slow}, {"a", "bc", slower}, {"a", "b", slow}} {
		got := [2]bool{table.Take([]limit.Quota{q}, start).OK, table.Take([]limit.Quota{q}, start).OK}
		if got != [2]bool{true, false} {
			t.Errorf("%+v: %v, want one call", q, got)
		}
	}
}

// TestTakeIsGCRAForEach compares with the textbook over several quotas: a call passes when all pass.
func TestTakeIsGCRAForEach(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 2))
		table := newTable(t, 4096)
		var quotas []limit.Quota
		var refs []*reference
		for i := range 1 + random.IntN(limit.MaxQuotas) {
			r := rate(t, 1+random.IntN(50), time.Second, 1+random.IntN(20))
			quotas = append(quotas, limit.Quota{Name: name(i), Rate: r})
			interval := r.Window() / time.Duration(r.Burst())
			refs = append(refs, &reference{interval, r.Window() - interval, map[string]time.Time{}})
		}
		now := start
		for i := range 1000 {
			now = now.Add(time.Duration(random.Int64N(int64(40 * time.Millisecond))))
			var wait time.Duration
			for _, r := range refs {
				if early := max(0, r.arrival[""].Sub(now)); early > r.tolerance {
					wait = max(wait, early-r.tolerance)
				}
			}
			if wait == 0 {
				for _, r := range refs {
					r.allow("", now)
				}
			}
			if v := table.Take(quotas, now); v.OK != (wait == 0) || v.Retry != wait {
				t.Fatalf("seed %d, call %d: %+v, want to wait %v", seed, i, v, wait)
			}
		}
	}
}

// TestTakeConcurrently has callers that share buckets in every order: none waits for ever, and no bucket lets too many
// through or loses a call.
func TestTakeConcurrently(t *testing.T) {
	table := newTable(t, 4096)
	r := rate(t, 1, time.Hour, 300)
	a, b, c := limit.Quota{Key: "a", Rate: r}, limit.Quota{Key: "b", Rate: r}, limit.Quota{Key: "c", Rate: rate(t, 1, time.Hour, 100)}
	var taken atomic.Int64
	var wg sync.WaitGroup
	for _, quotas := range [][]limit.Quota{{a, b, c}, {c, b, a}, {b, c, a}, {c, a, b}} {
		wg.Go(func() {
			for range 500 {
				if table.Take(quotas, start).OK {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()

	left := [2]int{table.Peek([]limit.Quota{a}, start).Remaining + 1, table.Peek([]limit.Quota{b}, start).Remaining + 1}
	if taken.Load() != 100 || left != [2]int{200, 200} {
		t.Errorf("%d calls were let through, %v are left; want 100 and [200 200]", taken.Load(), left)
	}
}

func TestRates(t *testing.T) {
	for _, c := range []struct {
		count  int
		period time.Duration
		burst  int
		ok     bool
	}{
		{1, time.Second, 1, true},
		{1_000_000, time.Second, 1, true},
		{0, time.Second, 1, false},
		{1, 0, 1, false},
		{1, -time.Second, 1, false},
		{1, time.Second, 0, false},
		{1_000_001, time.Second, 1, false},
		{1, 24 * time.Hour, 365, true},
		{1, 24 * time.Hour, 366, false},
	} {
		if r, err := limit.NewRate(c.count, c.period, c.burst); (err == nil) != c.ok || r.IsZero() == c.ok {
			t.Errorf("NewRate(%d, %v, %d) = %+v, %v", c.count, c.period, c.burst, r, err)
		}
	}
}

func TestTakeDoesNotAllocate(t *testing.T) {
	table := newTable(t, 100)
	quotas := []limit.Quota{{Name: "principal", Key: "ana", Rate: rate(t, 10, time.Second, 5)}, {Name: "tool", Key: "x", Rate: rate(t, 10, time.Second, 5)}}
	now := start
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Millisecond)
		table.Take(quotas, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	table := newTable(b, 0)
	r := rate(b, 1_000_000, time.Minute, 1000)
	quotas := []limit.Quota{{"principal", "3f1c0a4e-somebody", r}, {"server", "desk", r}, {"tool", "3f1c0a4e-somebody desk echo", r}}
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		table.Take(quotas, now)
	}
}
