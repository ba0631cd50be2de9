package limit_test

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/limit"
)

// start is when every test begins.
var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

func newLimiter(t testing.TB, o limit.Options) *limit.Limiter {
	t.Helper()
	o.Now = func() time.Time { return start }
	l, err := limit.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAllow(t *testing.T) {
	l := newLimiter(t, limit.Options{Rate: 10, Burst: 3})
	type answer struct {
		OK    bool
		Retry time.Duration
	}
	ask := func(d time.Duration) answer {
		ok, retry := l.Allow("somebody", at(d))
		return answer{ok, retry}
	}
	got := []answer{
		ask(0), ask(0), ask(0), // the burst
		ask(0), ask(0), // refused, and refused calls spend nothing
		ask(40 * time.Millisecond),
		ask(100 * time.Millisecond), ask(100 * time.Millisecond),
		ask(time.Hour), ask(time.Hour), ask(time.Hour), ask(time.Hour),
	}
	want := []answer{
		{true, 0},
		{true, 0},
		{true, 0},
		{false, 100 * time.Millisecond},
		{false, 100 * time.Millisecond},
		{false, 60 * time.Millisecond},
		{true, 0},
		{false, 100 * time.Millisecond},
		{true, 0},
		{true, 0},
		{true, 0},
		{false, 100 * time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNilAndZeroLimiterAllowEverything(t *testing.T) {
	for name, l := range map[string]*limit.Limiter{"nil": nil, "zero": {}} {
		for range 1000 {
			if ok, retry := l.Allow("anybody", start); !ok || retry != 0 {
				t.Fatalf("%s limiter: Allow = %v, %v", name, ok, retry)
			}
		}
	}
}

func TestClockStepsBack(t *testing.T) {
	l := newLimiter(t, limit.Options{Rate: 1, Burst: 2})
	for range 2 {
		l.Allow("somebody", at(time.Hour))
	}
	if ok, retry := l.Allow("somebody", at(0)); ok || retry != time.Second {
		t.Errorf("Allow after the step = %v, %v; want false, 1s", ok, retry)
	}
	if ok, _ := l.Allow("somebody", at(time.Second)); !ok {
		t.Error("Allow one interval after the step = false")
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]limit.Options{
		"no rate":          {},
		"negative rate":    {Rate: -1},
		"negative per":     {Rate: 1, Per: -time.Second},
		"negative burst":   {Rate: 1, Burst: -1},
		"negative keys":    {Rate: 1, MaxKeys: -1},
		"too many keys":    {Rate: 1, MaxKeys: 1 << 30},
		"too fast":         {Rate: 2, Per: time.Nanosecond},
		"burst of decades": {Rate: 1, Per: 24 * time.Hour, Burst: 10_000},
	} {
		if _, err := limit.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// reference is GCRA in the words of the virtual scheduling algorithm (ITU-T I.371), with a map and no bound.
type reference struct {
	interval, tolerance time.Duration
	arrival             map[string]time.Time
}

func (r *reference) allow(key string, now time.Time) (bool, time.Duration) {
	expected, known := r.arrival[key]
	if !known || now.After(expected) {
		expected = now
	}
	if early := expected.Sub(now); early > r.tolerance {
		return false, early - r.tolerance
	}
	r.arrival[key] = expected.Add(r.interval)
	return true, 0
}

func TestAllowIsGCRA(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		o := limit.Options{Rate: 1 + random.IntN(50), Per: time.Second, Burst: 1 + random.IntN(20), MaxKeys: 4096}
		l := newLimiter(t, o)
		interval := o.Per / time.Duration(o.Rate)
		ref := &reference{interval, interval * time.Duration(o.Burst-1), map[string]time.Time{}}
		now := start
		for i := range 2000 {
			now = now.Add(time.Duration(random.Int64N(int64(2 * interval))))
			key := strconv.FormatUint(random.Uint64N(5), 10)
			ok, retry := l.Allow(key, now)
			wantOK, wantRetry := ref.allow(key, now)
			if ok != wantOK || retry != wantRetry {
				t.Fatalf("seed %d, call %d: Allow = %v, %v; want %v, %v", seed, i, ok, retry, wantOK, wantRetry)
			}
		}
	}
}

// TestFloodOfKeys shows the bound: a busy key is hardly forgotten while as many keys as the limiter is made for are busy,
// and newcomers are always let in.
func TestFloodOfKeys(t *testing.T) {
	const keys = 10_000
	l := newLimiter(t, limit.Options{Rate: 1, Burst: 1, MaxKeys: keys})
	for k := range keys {
		if ok, _ := l.Allow(name(k), start); !ok {
			t.Fatalf("newcomer %d was refused", k)
		}
	}
	forgotten := 0
	for k := range keys {
		if ok, _ := l.Allow(name(k), start); ok {
			forgotten++
		}
	}
	if forgotten > keys/20 {
		t.Errorf("%d of %d busy keys were forgotten", forgotten, keys)
	}
	for k := range 100 * keys {
		if ok, _ := l.Allow(name(keys+k), start); !ok {
			t.Fatalf("newcomer %d was refused", k)
		}
	}
}

func TestAllowConcurrently(t *testing.T) {
	l := newLimiter(t, limit.Options{Rate: 1, Per: time.Hour, Burst: 500})
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if ok, _ := l.Allow("somebody", start); ok {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := allowed.Load(); got != 500 {
		t.Errorf("%d calls were let through, want the burst of 500", got)
	}
}

func TestAllowDoesNotAllocate(t *testing.T) {
	l := newLimiter(t, limit.Options{Rate: 1_000_000})
	now := start
	got := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Microsecond)
		l.Allow("somebody", now)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// name spells a key.
func name(k int) string { return strconv.Itoa(k) }

func BenchmarkAllow(b *testing.B) {
	b.Run("one bucket", func(b *testing.B) {
		l := newLimiter(b, limit.Options{Rate: 1000})
		b.ReportAllocs()
		now := start
		for b.Loop() {
			now = now.Add(time.Millisecond)
			l.Allow("3f1c0a4e-somebody", now)
		}
	})
	b.Run("many buckets, parallel", func(b *testing.B) {
		l := newLimiter(b, limit.Options{Rate: 1000})
		keys := make([]string, 4096)
		for i := range keys {
			keys[i] = "3f1c0a4e-" + name(i)
		}
		b.ReportAllocs()
		var next atomic.Uint64
		b.RunParallel(func(pb *testing.PB) {
			k := next.Add(1) * 1024
			for pb.Next() {
				k++
				l.Allow(keys[k%4096], start)
			}
		})
	})
}
