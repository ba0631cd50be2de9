package redisguard_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
	"sark/internal/testkit"
)

// client makes a client as a gateway does.
func client(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestBreakerBeforeARealServer: replies of a server that is well open nothing, its death does, and its return closes it.
func TestBreakerBeforeARealServer(t *testing.T) {
	s := testkit.StartRedis(t)
	c := client(t, s.Addr())
	b, err := redisguard.New(redisguard.Options{Client: c, Limit: testkit.Patience, Meanwhile: "the test waits"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ask := func(command ...any) bool {
		_ = b.Do(t.Context(), func(ctx context.Context) error { return c.Do(ctx, command...).Err() })
		return b.IsOpen()
	}
	got := []bool{ask("PING"), ask("NONSENSE")}
	s.Kill()
	got = append(got, ask("PING"), ask("PING"))
	if err := b.Err(); err == nil || !strings.HasPrefix(err.Error(), "the test waits: ") {
		t.Errorf("Err says %v, want what is done meanwhile and why", err)
	}
	s.Start()
	testkit.Eventually(t, "the server is asked again", func() bool { return !b.IsOpen() })

	if diff := cmp.Diff([]bool{false, false, true, true}, got); diff != "" || b.Trips() != 1 {
		t.Errorf("%d trips, want 1; open (-want +got):\n%s", b.Trips(), diff)
	}
}

// TestHopelessServers answer, but no question of this client: the first one opens the breaker.
func TestHopelessServers(t *testing.T) {
	changed := func(command ...string) func(t *testing.T) *testkit.RedisServer {
		return func(t *testing.T) *testkit.RedisServer {
			s := testkit.StartRedis(t)
			s.Do(command...)
			return s
		}
	}
	for want, server := range map[string]func(t *testing.T) *testkit.RedisServer{
		"NOAUTH":   changed("CONFIG", "SET", "requirepass", "p"),
		"READONLY": changed("REPLICAOF", "127.0.0.1", "1"),
		"MOVED":    func(t *testing.T) *testkit.RedisServer { return testkit.StartRedisCluster(t, 2)[0] },
	} {
		t.Run(want, func(t *testing.T) {
			c := client(t, server(t).Addr())
			b, err := redisguard.New(redisguard.Options{Client: c, Limit: testkit.Patience, Meanwhile: "the test waits"})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()

			// The key is of a slot in the upper half.
			err = b.Do(t.Context(), func(ctx context.Context) error { return c.Set(ctx, "a", "1", 0).Err() })

			if !redis.HasErrorPrefix(err, want) || b.Trips() != 1 {
				t.Errorf("the first question: %v, and %d trips, want 1", err, b.Trips())
			}
		})
	}
}

// TestNoBreaker is that of a part without a server: nothing is wrong with it, and there is nothing to end.
func TestNoBreaker(t *testing.T) {
	var b *redisguard.Breaker
	if err := b.Err(); err != nil {
		t.Errorf("Err: %v", err)
	}
	b.Close()
}

func TestBadOptions(t *testing.T) {
	deaf := redis.NewClient(&redis.Options{})
	defer func() { _ = deaf.Close() }()
	good := client(t, "127.0.0.1:1")
	for name, o := range map[string]redisguard.Options{
		"no client":         {Limit: time.Second, Meanwhile: "m"},
		"no limit":          {Client: good, Meanwhile: "m"},
		"negative health":   {Client: good, Limit: time.Second, Health: -1, Meanwhile: "m"},
		"nothing meanwhile": {Client: good, Limit: time.Second},
		"ignores deadlines": {Client: deaf, Limit: time.Second, Meanwhile: "m"},
	} {
		if b, err := redisguard.New(o); err == nil {
			b.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
