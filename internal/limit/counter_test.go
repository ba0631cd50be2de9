package limit_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"sark/internal/limit"
	"sark/internal/testkit"
)

// dial makes a client as a gateway does.
func dial(t testing.TB, addrs ...string) redis.UniversalClient {
	t.Helper()
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true, DialerRetries: 1, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// newCounter makes a counter that waits for a busy machine.
func newCounter(t testing.TB, o limit.CounterOptions) *limit.Counter {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = testkit.Patience
	}
	c, err := limit.NewCounter(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// hourly is a quota of n calls an hour, all at once.
func hourly(t testing.TB, key string, n int) limit.Quota {
	return limit.Quota{Name: "principal", Key: key, Rate: rate(t, n, time.Hour, n)}
}

// taken is how many of so many calls a counter lets through.
func taken(c *limit.Counter, calls int, quotas ...limit.Quota) int {
	n := 0
	for range calls {
		if c.Take(context.Background(), quotas, time.Now()).OK {
			n++
		}
	}
	return n
}

// TestGatewaysShareTheirLimits: what one gateway let through, another one knows.
func TestGatewaysShareTheirLimits(t *testing.T) {
	s := testkit.StartRedis(t)
	one := newCounter(t, limit.CounterOptions{Client: dial(t, s.Addr())})
	two := newCounter(t, limit.CounterOptions{Client: dial(t, s.Addr())})
	wide, narrow := hourly(t, "ana", 10), hourly(t, "ana wipe", 3)

	got := []int{
		taken(one, 2, wide, narrow), taken(two, 5, wide, narrow), // the narrow one has three
		taken(two, 5, wide), taken(one, 5, wide), // and the wide one lost no more
		taken(two, 5, hourly(t, "ben", 4)),
	}

	if diff := cmp.Diff([]int{2, 1, 5, 2, 4}, got); diff != "" {
		t.Errorf("calls let through (-want +got):\n%s", diff)
	}
	v := one.Take(t.Context(), []limit.Quota{wide}, time.Now())
	if v.OK || v.Retry <= 0 || v.Retry > 6*time.Minute || v.Remaining != 0 || v.Reset > time.Hour {
		t.Errorf("verdict %+v, want to wait at most six minutes", v)
	}
	if keys := s.Do("DBSIZE"); keys != "3" {
		t.Errorf("%s keys in Redis, want 3", keys)
	}
}

// TestSharedCallsAtOnce has many callers at two gateways: together they get the burst.
func TestSharedCallsAtOnce(t *testing.T) {
	s := testkit.StartRedis(t)
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		c := newCounter(t, limit.CounterOptions{Client: dial(t, s.Addr())})
		for range 4 {
			wg.Go(func() { n.Add(int64(taken(c, 50, hourly(t, "ana", 100), hourly(t, "desk", 1000)))) })
		}
	}
	wg.Wait()
	if n.Load() != 100 {
		t.Errorf("%d calls were let through, want 100", n.Load())
	}
}

// TestBucketsEnd: Redis forgets a bucket that is full again.
func TestBucketsEnd(t *testing.T) {
	s := testkit.StartRedis(t)
	c := newCounter(t, limit.CounterOptions{Client: dial(t, s.Addr())})
	q := limit.Quota{Name: "principal", Key: "ana", Rate: rate(t, 1000, time.Second, 10)}
	if taken(c, 1, q) != 1 {
		t.Fatal("the first call was refused")
	}
	testkit.Eventually(t, "the bucket has ended", func() bool { return s.Do("DBSIZE") == "0" })
}

// TestHostileBuckets writes nonsense into a bucket: at worst it is full, or empty for a whole burst.
func TestHostileBuckets(t *testing.T) {
	s := testkit.StartRedis(t)
	client := dial(t, s.Addr())
	q := hourly(t, "ana", 2)
	if taken(newCounter(t, limit.CounterOptions{Client: client}), 1, q) != 1 {
		t.Fatal("the first call was refused")
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	got := map[string]int{}
	for _, value := range []string{"nonsense", "nan", "-inf", "-1e300", "inf", "1e300", "0x", ""} {
		s.Do("SET", keys[0], value)
		got[value] = taken(newCounter(t, limit.CounterOptions{Client: client}), 3, q)
	}
	s.Do("DEL", keys[0])
	s.Do("LPUSH", keys[0], "a")
	got["a list"] = taken(newCounter(t, limit.CounterOptions{Client: client}), 3, q)

	want := map[string]int{"nonsense": 2, "nan": 2, "-inf": 2, "-1e300": 2, "inf": 0, "1e300": 0, "0x": 2, "": 2, "a list": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls let through (-want +got):\n%s", diff)
	}
}

// TestRedisGone kills Redis: each gateway goes on with what it has let through itself.
func TestRedisGone(t *testing.T) {
	s := testkit.StartRedis(t)
	registry := prometheus.NewRegistry()
	c := newCounter(t, limit.CounterOptions{Client: dial(t, s.Addr()), Registerer: registry})
	q := hourly(t, "ana", 5)
	before := taken(c, 2, q)
	s.Kill()
	during := taken(c, 10, q)
	if c.Err() == nil {
		t.Error("nothing says that Redis is gone")
	}
	s.Start()
	testkit.Eventually(t, "Redis is asked again", func() bool { return c.Err() == nil })
	after := taken(c, 10, q, hourly(t, "ben", 1)) // Redis has forgotten, this process has not

	if diff := cmp.Diff([]int{2, 3, 0}, []int{before, during, after}); diff != "" {
		t.Errorf("calls let through before, without and after (-want +got):\n%s", diff)
	}
	const metrics = `
# HELP sark_limit_calls_total Calls counted against a limit, by where: shared in Redis, or local in this process.
# TYPE sark_limit_calls_total counter
sark_limit_calls_total{counted="local"} 20
sark_limit_calls_total{counted="shared"} 2
# HELP sark_limit_refused_total Calls over a limit, by the limit that made them wait longest.
# TYPE sark_limit_refused_total counter
sark_limit_refused_total{limit="principal"} 17
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(metrics), "sark_limit_calls_total", "sark_limit_refused_total"); err != nil {
		t.Error(err)
	}
}

// TestRedisStopped has a server that does not answer: the first call pays for it, and calls are counted here.
func TestRedisStopped(t *testing.T) {
	s := testkit.StartRedis(t)
	c := newCounter(t, limit.CounterOptions{Client: dial(t, s.Addr()), Timeout: time.Second})
	q := hourly(t, "ana", 3)
	before := taken(c, 1, q)
	s.Pause()
	during := taken(c, 10, q)
	open := c.Err() != nil
	s.Resume()
	if before != 1 || during != 2 || !open {
		t.Errorf("%d and %d calls were let through, breaker open: %v; want 1, 2 and true", before, during, open)
	}
}

func TestClusterCountsTogether(t *testing.T) {
	nodes := testkit.StartRedisCluster(t, 3)
	c := newCounter(t, limit.CounterOptions{Client: dial(t, nodes[0].Addr(), nodes[1].Addr(), nodes[2].Addr())})
	for _, who := range []string{"ana", "ben", "cem", "dan"} {
		if n := taken(c, 5, hourly(t, who, 2), hourly(t, "desk", 100), hourly(t, who+" wipe", 3)); n != 2 {
			t.Errorf("%s: %d calls were let through, want 2", who, n)
		}
	}
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

func TestClientMustHeedDeadlines(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	defer func() { _ = client.Close() }()
	if _, err := limit.NewCounter(limit.CounterOptions{Client: client}); err == nil {
		t.Error("a client that ignores deadlines was accepted")
	}
}

func BenchmarkCounterShared(b *testing.B) {
	s := testkit.StartRedis(b)
	c := newCounter(b, limit.CounterOptions{Client: dial(b, s.Addr())})
	r := rate(b, 1_000_000, time.Minute, 1_000_000)
	quotas := []limit.Quota{{"principal", "3f1c0a4e-somebody", r}, {"server", "desk", r}, {"tool", "3f1c0a4e-somebody desk echo", r}}
	b.ReportAllocs()
	for b.Loop() {
		c.Take(context.Background(), quotas, time.Now())
	}
}
