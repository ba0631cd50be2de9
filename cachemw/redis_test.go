package cachemw_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"sark/cachemw"
	"sark/cachemw/cachetest"
	"sark/internal/testkit"
)

// patient is a lookup timeout for tests that are not about slowness, on a machine that does other things too.
const patient = 5 * time.Second

// dial makes a client as a gateway does.
func dial(t testing.TB, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled = true
	o.PoolSize = 50
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// newRedis makes a backend that is closed at the end of the test, before its client.
func newRedis(t testing.TB, o cachemw.RedisOptions) *cachemw.Redis {
	t.Helper()
	r, err := cachemw.NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// ownPrefix keeps a test's keys apart on a server that others use.
func ownPrefix() string { return fmt.Sprintf("test:%016x:", rand.Uint64()) }

// saved saves an entry of the server's current generation, stored now, and returns it.
func saved(t testing.TB, b cachemw.Backend, server, body string) cachemw.Entry {
	t.Helper()
	ctx := context.Background()
	g, err := b.Generation(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	e := cachemw.Entry{
		Status: 200, ContentType: "application/json", Body: []byte(body), Stored: time.Now(), TTL: time.Minute,
		Scope: cachemw.Private, Generation: g,
	}
	if err := b.Save(ctx, keyOf(server), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// keyOf returns a key for a server.
func keyOf(server string) cachemw.Key {
	_, public := cachemw.NewKeys(cachemw.KeyParts{Partition: []byte("nobody's"), Server: server})
	return public
}

// loaded returns the body that is stored for a server, or "a miss", or the error.
func loaded(b cachemw.Backend, server string) string {
	e, ok, err := b.Load(context.Background(), keyOf(server))
	switch {
	case err != nil:
		return err.Error()
	case !ok:
		return "a miss"
	}
	return string(e.Body)
}

func TestRedis(t *testing.T) {
	for name, key := range map[string][]byte{"plain": nil, "signed and compressed": []byte(strings.Repeat("k", 32))} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, testkit.RedisURL(t))
			cachetest.Run(t, func(t *testing.T, now func() time.Time) cachemw.Backend {
				return newRedis(t, cachemw.RedisOptions{
					Client: client, LookupTimeout: patient, Prefix: ownPrefix(), HMACKey: key, Compress: key != nil, Now: now,
				})
			})
		})
	}
}

// TestRedisFull has a server whose memory fills up.
func TestRedisFull(t *testing.T) {
	s := testkit.StartRedis(t, "--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru")
	client := dial(t, s.URL())
	cachetest.RunBounded(t, func(t *testing.T, now func() time.Time) cachemw.Backend {
		return newRedis(t, cachemw.RedisOptions{Client: client, LookupTimeout: patient, Now: now})
	})
}

// TestRedisRefusesToStore has a server that is full and evicts nothing: entries are not kept, and nothing is left alone.
func TestRedisRefusesToStore(t *testing.T) {
	s := testkit.StartRedis(t)
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
	e := saved(t, r, "a", "one")
	s.Do("CONFIG", "SET", "maxmemory", "1")
	if err := r.Save(context.Background(), keyOf("a"), e); err == nil {
		t.Error("Save on a full server: no error")
	}
	if got := loaded(r, "a"); got != "one" {
		t.Errorf("Load says %q", got)
	}
	if err := r.Err(); err != nil {
		t.Errorf("Err: %v", err)
	}
}

// TestRedisNames shows what an operator finds with redis-cli.
func TestRedisNames(t *testing.T) {
	s := testkit.StartRedis(t)
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
	saved(t, r, "github", "one")
	name := fmt.Sprintf("cache:response:%x", keyOf("github"))
	got := []string{
		s.Do("EXISTS", name), s.Do("EXISTS", "cache:generation:github"), s.Do("EXISTS", "cache:epoch"), s.Do("DBSIZE"),
	}
	if diff := cmp.Diff([]string{"1", "1", "1", "3"}, got); diff != "" {
		t.Error(diff)
	}
	if ttl := s.Do("TTL", name); ttl != "60" && ttl != "59" {
		t.Errorf("the entry expires in %s s", ttl)
	}
}

// TestRedisCLI runs, by the program itself, the commands that operators have in their runbooks.
func TestRedisCLI(t *testing.T) {
	s := testkit.StartRedis(t)
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
	saved(t, r, "github", "one")
	saved(t, r, "gitlab", "two")
	got := []string{loaded(r, "github")}

	if keys := strings.Fields(s.CLI("--scan", "--pattern", "cache:response:*")); len(keys) != 2 {
		t.Errorf("redis-cli --scan --pattern 'cache:response:*' finds %q, want two keys", keys)
	}
	for _, c := range []struct{ args, want string }{
		{"PING", `^PONG\n`},
		{"INFO stats", `keyspace_hits:[1-9]`},
		{"INFO stats", `evicted_keys:0`},
		{"INFO clients", `connected_clients:[1-9]`},
		{"INFO memory", `used_memory:[1-9]`},
		{"CONFIG GET maxmemory-policy", `noeviction`},
		{"TTL cache:response:" + fmt.Sprintf("%x", keyOf("github")), `^(60|59)\n`},
	} {
		if out := s.CLI(strings.Fields(c.args)...); !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("redis-cli %s prints %q, want %s", c.args, out, c.want)
		}
	}
	s.CLI("FLUSHALL") // the runbook's last resort
	got = append(got, loaded(r, "github"))
	if diff := cmp.Diff([]string{"one", "a miss"}, got); diff != "" {
		t.Errorf("before and after FLUSHALL (-want +got):\n%s", diff)
	}
}

// TestRedisLosesRecords deletes what an eviction may take. No entry comes back with the records that replace it.
func TestRedisLosesRecords(t *testing.T) {
	for _, record := range []string{"cache:generation:a", "cache:epoch"} {
		t.Run(record, func(t *testing.T) {
			s := testkit.StartRedis(t)
			r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
			old := saved(t, r, "a", "one")
			got := []string{loaded(r, "a")}
			s.Do("DEL", record)
			got = append(got, loaded(r, "a"))
			if g, err := r.Generation(context.Background(), "a"); err != nil || g == old.Generation {
				t.Errorf("Generation = %d, %v, as before", g, err)
			}
			got = append(got, loaded(r, "a"))
			saved(t, r, "a", "two")
			got = append(got, loaded(r, "a"))
			if diff := cmp.Diff([]string{"one", "a miss", "a miss", "two"}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRedisLosesRecordsDuringFill evicts what a fill has read before it stores, while another gateway makes it anew, or
// nobody does. The late entry is of a generation that is over: nobody is given it.
func TestRedisLosesRecordsDuringFill(t *testing.T) {
	for _, records := range [][]string{{"cache:generation:a"}, {"cache:epoch"}, {"cache:generation:a", "cache:epoch"}} {
		for _, renewed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, renewed %v", strings.Join(records, " and "), renewed), func(t *testing.T) {
				s := testkit.StartRedis(t)
				filling := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
				other := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
				ctx := context.Background()
				late := cachemw.Entry{Status: 200, Body: []byte("late"), Stored: time.Now(), TTL: time.Minute, Scope: cachemw.Private}
				var err error
				if late.Generation, err = filling.Generation(ctx, "a"); err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					s.Do("DEL", r)
				}
				if renewed {
					saved(t, other, "a", "new")
				}
				if err := filling.Save(ctx, keyOf("a"), late); err != nil {
					t.Fatal(err)
				}
				got := []string{loaded(filling, "a"), loaded(other, "a")}
				for _, r := range []*cachemw.Redis{filling, other} {
					if g, err := r.Generation(ctx, "a"); err != nil || g == late.Generation {
						t.Errorf("Generation = %d, %v, that of the late entry", g, err)
					}
					got = append(got, loaded(r, "a"))
				}
				if diff := cmp.Diff(slices.Repeat([]string{"a miss"}, 4), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestRedisRestart restarts the server on a snapshot from before an invalidation. What it brings back is not served.
func TestRedisRestart(t *testing.T) {
	s := testkit.StartRedis(t)
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
	old := saved(t, r, "a", "old")
	s.Do("SAVE")
	if err := r.Invalidate(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Start()
	if s.Do("EXISTS", "cache:generation:a") != "1" {
		t.Fatal("the snapshot does not bring the generation back: the test shows nothing")
	}
	ctx := context.Background()
	if got := loaded(r, "a"); got == "old" {
		t.Error("the restart brought an entry back that had been invalidated")
	}
	eventually(t, "the server is asked again", func() bool { return r.Err() == nil })
	saved(t, r, "a", "new")
	if e, ok, err := r.Load(ctx, keyOf("a")); !ok || string(e.Body) != "new" || e.Generation == old.Generation {
		t.Errorf("then Load = %q of generation %d, %v, %v", e.Body, e.Generation, ok, err)
	}
}

// TestRedisHostileValues has a value that somebody else wrote for each reason to refuse it.
func TestRedisHostileValues(t *testing.T) {
	s := testkit.StartRedis(t)
	metrics := prometheus.NewRegistry()
	r := newRedis(t, cachemw.RedisOptions{
		Client: dial(t, s.URL()), LookupTimeout: patient, HMACKey: []byte(strings.Repeat("k", 32)), MaxEntryBytes: 1000,
		Registerer: metrics,
	})
	saved(t, r, "a", "one")
	saved(t, r, "b", "two")
	name := func(server string) string { return fmt.Sprintf("cache:response:%x", keyOf(server)) }
	sound := s.Do("GET", name("a"))
	for what, value := range map[string]string{
		"another's": s.Do("GET", name("b")), "forged": strings.Replace(sound, "one", "1ne", 1), "cut": sound[:len(sound)-1],
		"longer": sound + "x", "another version": "\xff" + sound[1:], "huge": strings.Repeat("x", 1<<20), "short": "x",
	} {
		s.Do("SET", name("a"), value)
		if got := loaded(r, "a"); got != "a miss" {
			t.Errorf("%s: %q", what, got)
		}
	}
	s.Do("DEL", name("a"))
	s.Do("LPUSH", name("a"), "x")
	if got := loaded(r, "a"); got != "a miss" {
		t.Errorf("a list: %q", got)
	}
	s.Do("DEL", name("a"))
	s.Do("SET", name("a"), sound)
	if got := loaded(r, "a"); got != "one" {
		t.Errorf("the sound value: %q", got)
	}
	want := `
# HELP sark_cachemw_values_rejected_total Values of the shared cache that were not sound and so not served.
# TYPE sark_cachemw_values_rejected_total counter
sark_cachemw_values_rejected_total{reason="oversize"} 1
sark_cachemw_values_rejected_total{reason="signature"} 4
sark_cachemw_values_rejected_total{reason="type"} 1
sark_cachemw_values_rejected_total{reason="version"} 2
`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "sark_cachemw_values_rejected_total"); err != nil {
		t.Error(err)
	}
}

// TestRedisHostileRecords has records that somebody else wrote. They are replaced.
func TestRedisHostileRecords(t *testing.T) {
	s := testkit.StartRedis(t)
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
	for _, record := range []string{"cache:generation:a", "cache:epoch"} {
		for _, value := range []string{"", "x", strings.Repeat("0", 32), strings.Repeat("0", 56), strings.Repeat("z", 1<<20)} {
			saved(t, r, "a", "one")
			s.Do("SET", record, value)
			if got := loaded(r, "a"); got != "a miss" {
				t.Errorf("%s = %.40q: %q", record, value, got)
			}
		}
		s.Do("DEL", record)
		s.Do("LPUSH", record, "x")
		saved(t, r, "a", "two")
		if got := loaded(r, "a"); got != "two" {
			t.Errorf("after %s was a list: %q", record, got)
		}
	}
}

// TestRedisSeesAnotherGateway invalidates in one gateway what another serves.
func TestRedisSeesAnotherGateway(t *testing.T) {
	url, prefix := testkit.RedisURL(t), ownPrefix()
	a := newRedis(t, cachemw.RedisOptions{Client: dial(t, url), LookupTimeout: patient, Prefix: prefix})
	b := newRedis(t, cachemw.RedisOptions{Client: dial(t, url), LookupTimeout: patient, Prefix: prefix})
	saved(t, a, "x", "one")
	saved(t, a, "y", "two")
	got := []string{loaded(b, "x"), loaded(b, "y")}
	if err := b.Invalidate(context.Background(), "x"); err != nil {
		t.Fatal(err)
	}
	got = append(got, loaded(a, "x"), loaded(a, "y"))
	if err := b.InvalidateAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	got = append(got, loaded(a, "x"), loaded(a, "y"))
	if diff := cmp.Diff([]string{"one", "two", "a miss", "two", "a miss", "a miss"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRedisInfo(t *testing.T) {
	s := testkit.StartRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	r := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
	saved(t, r, "a", "one")
	got, err := r.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got.UsedMemory == 0 || got.Clients == 0 || got.Connections == 0 || got.Misses == 0 {
		t.Errorf("Info = %+v", got)
	}
	want := cachemw.RedisInfo{
		Keys: 3, MaxMemory: 64 << 20, MaxMemoryPolicy: "allkeys-lru",
		UsedMemory: got.UsedMemory, Clients: got.Clients, Connections: got.Connections, Hits: got.Hits, Misses: got.Misses,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRedisOptions(t *testing.T) {
	good := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	deaf := redis.NewClient(&redis.Options{})
	replicas := redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, ReadOnly: true})
	for _, c := range []redis.UniversalClient{good, deaf, replicas} {
		defer func() { _ = c.Close() }()
	}
	for name, o := range map[string]cachemw.RedisOptions{
		"no client":          {},
		"ignores deadlines":  {Client: deaf},
		"reads replicas":     {Client: replicas},
		"negative timeout":   {Client: good, LookupTimeout: -1},
		"short key":          {Client: good, HMACKey: []byte("short")},
		"negative size":      {Client: good, MaxEntryBytes: -1},
		"too large a size":   {Client: good, MaxEntryBytes: 1 << 30},
		"metric taken twice": {Client: good, Registerer: taken(t)},
	} {
		if r, err := cachemw.NewRedis(o); err == nil {
			_ = r.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

// taken returns a registry in which a metric of the cache has another meaning already.
func taken(t *testing.T) prometheus.Registerer {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_cachemw_breaker_open"}))
	return r
}

// TestRedisNotAllowed has a user who may not ask for the process behind the server: nothing is served on trust.
func TestRedisNotAllowed(t *testing.T) {
	s := testkit.StartRedis(t)
	s.Do("ACL", "SETUSER", "u", "on", ">p", "~*", "&*", "+@all", "-info")
	r := newRedis(t, cachemw.RedisOptions{
		Client: dial(t, "redis://u:p@"+s.Addr()), LookupTimeout: patient,
	})
	_, err := r.Generation(context.Background(), "a")
	var reply redis.Error
	if !errors.As(err, &reply) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("Generation: %v", err)
	}
	if err := r.Err(); err != nil {
		t.Errorf("Err: %v: a server that answers is well", err)
	}
}
