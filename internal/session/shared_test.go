package session_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sark/internal/session"
	"sark/internal/testkit"
)

// dial makes a client as a gateway does.
func dial(t testing.TB, addrs ...string) redis.UniversalClient {
	t.Helper()
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true, DialerRetries: 1, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// replica makes the bindings of one gateway of several.
func replica(t testing.TB, client redis.UniversalClient, change func(*session.Options)) sessions {
	t.Helper()
	o := session.Options{TTL: time.Hour, Client: client, Timeout: testkit.Patience}
	if change != nil {
		change(&o)
	}
	return open(t, o)
}

// TestReplicasShareSessions: what one bound another knows, for its owner alone, until it is dropped.
func TestReplicasShareSessions(t *testing.T) {
	s := testkit.StartRedis(t)
	a, b := replica(t, dial(t, s.Addr()), nil), replica(t, dial(t, s.Addr()), nil)
	id := []byte("s1")
	got := []bool{
		a.Bind(id, owner(1), start),
		b.Owned(id, owner(1), start), b.Owned(id, owner(2), start), b.Owned([]byte("s2"), owner(1), start),
		b.Bind(id, owner(2), start),
		a.Owned(id, owner(1), start.Add(time.Minute)), // asks again
	}
	b.Drop(id, owner(2)) // not theirs
	got = append(got, a.Owned(id, owner(1), start.Add(2*time.Minute)))
	b.Drop(id, owner(1))
	got = append(got, b.Owned(id, owner(1), start.Add(2*time.Minute)))

	if diff := cmp.Diff([]bool{true, true, false, false, false, true, true, false}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestReplicasShareEveryKind: whatever one bound is its owner's alone at another, under its own kind alone, and ends in
// Redis with its time to live.
func TestReplicasShareEveryKind(t *testing.T) {
	s := testkit.StartRedis(t)
	a, b := replica(t, dial(t, s.Addr()), nil), replica(t, dial(t, s.Addr()), nil)
	kinds := []session.Kind{session.Session, session.Task, session.Question, session.Address}
	for i, kind := range kinds {
		id, ctx := []byte(kind), t.Context()
		got := []bool{
			a.must(a.Bindings.Bind(ctx, kind, id, owner(1), start)),
			b.must(b.Bindings.Owned(ctx, kind, id, owner(1), start)), b.must(b.Bindings.Owned(ctx, kind, id, owner(2), start)),
			b.must(b.Bindings.Owned(ctx, kinds[(i+1)%len(kinds)], id, owner(1), start)),
		}
		if diff := cmp.Diff([]bool{true, true, false, false}, got); diff != "" {
			t.Errorf("%s: answers (-want +got):\n%s", kind, diff)
		}
	}

	brief := func(o *session.Options) { o.TTL = 50 * time.Millisecond }
	a, b = replica(t, dial(t, s.Addr()), brief), replica(t, dial(t, s.Addr()), brief)
	a.Bind([]byte("brief"), owner(1), start)
	testkit.Eventually(t, "the binding has ended", func() bool { return s.Do("DBSIZE") == strconv.Itoa(len(kinds)) })
	if b.Owned([]byte("brief"), owner(1), start) {
		t.Error("a binding is known after its time to live")
	}
}

// TestRedisLearnsNothing looks at what is stored: neither the id nor the owner in clear, and an end to it.
func TestRedisLearnsNothing(t *testing.T) {
	s := testkit.StartRedis(t)
	client := dial(t, s.Addr())
	id, who := []byte("a-session-id-in-clear"), [32]byte([]byte("an owner that is no digest here."))
	replica(t, client, nil).Bind(id, who, start)

	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	value := s.Do("GET", keys[0])
	left, err := client.PTTL(t.Context(), keys[0]).Result()
	if err != nil || left <= 59*time.Minute || left > time.Hour {
		t.Errorf("the binding ends in %v (%v), want an hour", left, err)
	}
	for _, secret := range [][]byte{id, who[:]} {
		if bytes.Contains([]byte(keys[0]+value), secret) {
			t.Errorf("Redis holds %q in clear", secret)
		}
	}
}

// TestForgedBindings: whoever can write to Redis and has no key cannot make a binding, nor move one.
func TestForgedBindings(t *testing.T) {
	s := testkit.StartRedis(t)
	client := dial(t, s.Addr())
	signed := func(o *session.Options) { o.HMACKey = slices.Repeat([]byte("k"), 32) }
	unsigned := replica(t, client, nil)
	unsigned.Bind([]byte("forged"), owner(1), start)
	a := replica(t, client, signed)
	a.Bind([]byte("real"), owner(1), start)
	b := replica(t, client, signed)
	got := []bool{b.Owned([]byte("real"), owner(1), start), b.Owned([]byte("forged"), owner(1), start)}

	real := ""
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	for _, from := range keys { // under either name, the value of the other
		for _, to := range keys {
			if from != to {
				real = s.Do("GET", from)
				c := replica(t, client, signed)
				client.Set(t.Context(), to, real, time.Hour)
				got = append(got, c.Owned([]byte("forged"), owner(1), start))
			}
		}
	}
	if diff := cmp.Diff([]bool{true, false, false, false}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestRedisGone kills Redis: what a replica has seen goes on, of anything else it says that it does not know.
func TestRedisGone(t *testing.T) {
	s := testkit.StartRedis(t)
	a, b := replica(t, dial(t, s.Addr()), nil), replica(t, dial(t, s.Addr()), nil)
	a.Bind([]byte("before"), owner(1), start)
	s.Kill()
	later := start.Add(time.Minute)

	if !a.Owned([]byte("before"), owner(1), later) || !a.Bind([]byte("during"), owner(1), later) {
		t.Error("the replica that has it does not go on")
	}
	_, err := b.Bindings.Owned(context.Background(), session.Session, []byte("before"), owner(1), later)
	if !errors.Is(err, session.ErrUnavailable) || b.Err() == nil {
		t.Errorf("the other replica says %v, and its health %v", err, b.Err())
	}

	s.Start() // without what it held
	testkit.Eventually(t, "Redis is asked again", func() bool { return a.Err() == nil && b.Err() == nil })
	later = later.Add(time.Minute)
	got := []bool{
		b.Owned([]byte("before"), owner(1), later), // lost with Redis
		a.Owned([]byte("before"), owner(1), later), // who has seen it shares it anew
		a.Owned([]byte("during"), owner(1), later), // and what was bound meanwhile
		b.Owned([]byte("before"), owner(1), later), b.Owned([]byte("during"), owner(1), later),
		b.Owned([]byte("during"), owner(2), later),
	}
	if diff := cmp.Diff([]bool{false, true, true, true, true, false}, got); diff != "" {
		t.Errorf("answers after the restart (-want +got):\n%s", diff)
	}
}

// TestRedisRestarts: bindings are as durable as the Redis that holds them.
func TestRedisRestarts(t *testing.T) {
	s := testkit.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	replica(t, dial(t, s.Addr()), nil).Bind([]byte("s1"), owner(1), start)
	s.Kill()
	s.Start()
	b := replica(t, dial(t, s.Addr()), nil)

	got := []bool{b.Owned([]byte("s1"), owner(1), start), b.Owned([]byte("s1"), owner(2), start)}

	if diff := cmp.Diff([]bool{true, false}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestRoomIsMadeEverywhere: a principal's bound holds in Redis too.
func TestRoomIsMadeEverywhere(t *testing.T) {
	s := testkit.StartRedis(t)
	a := replica(t, dial(t, s.Addr()), func(o *session.Options) { o.MaxPerPrincipal = 2 })
	for i, id := range []string{"a", "b", "c"} {
		a.Bind([]byte(id), owner(1), start.Add(time.Duration(i)*time.Second))
	}
	b := replica(t, dial(t, s.Addr()), nil)

	got := []bool{b.Owned([]byte("a"), owner(1), start), b.Owned([]byte("b"), owner(1), start), b.Owned([]byte("c"), owner(1), start)}

	if diff := cmp.Diff([]bool{false, true, true}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestClusterBinds(t *testing.T) {
	nodes := testkit.StartRedisCluster(t, 3)
	client := dial(t, nodes[0].Addr(), nodes[1].Addr(), nodes[2].Addr())
	a, b := replica(t, client, nil), replica(t, client, nil)
	for i := range byte(20) {
		id := []byte{i}
		if !a.Bind(id, owner(1), start) || !b.Owned(id, owner(1), start) || b.Owned(id, owner(2), start) {
			t.Errorf("session %d is not shared", i)
		}
	}
}

func BenchmarkOwnedShared(b *testing.B) {
	s := testkit.StartRedis(b)
	r := replica(b, dial(b, s.Addr()), nil)
	id := []byte("3f1b0f0e-2a53-4a8b-9d58-1a5d6c1f4a11")
	r.Bind(id, owner(1), start)
	b.ReportAllocs()
	for b.Loop() {
		r.Owned(id, owner(1), start)
	}
}
