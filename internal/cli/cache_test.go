package cli_test

import (
	"regexp"
	"strings"
	"testing"

	"sark/internal/testkit"
)

// TestCacheCommands asks a running gateway for its statistics and tells it to forget.
func TestCacheCommands(t *testing.T) {
	g := startGateway(t, dataDir(t))
	stats := run(t, "cache", "stats", "--redis", "--data-dir", g.dir)
	if stats.Code != 0 || !strings.Contains(stats.Out, "hit rate") || !strings.Contains(stats.Out, "redis.url is not set") {
		t.Errorf("stats: %+v", stats)
	}
	if r := run(t, "cache", "stats", "--output", "json", "--data-dir", g.dir); r.Code != 0 || !strings.Contains(r.Out, `"hit_rate":`) {
		t.Errorf("stats as JSON: %+v", r)
	}
	for _, what := range []string{"--all", "--servers"} {
		if r := run(t, "cache", "purge", what, "--data-dir", g.dir); r.Code != 0 || !strings.HasPrefix(r.Out, "forgotten: ") {
			t.Errorf("purge %s: %+v", what, r)
		}
	}
	if r := run(t, "cache", "purge", "--all", "--output", "json", "--data-dir", g.dir); r.Code != 0 || strings.TrimSpace(r.Out) != `{"scope":"all","server":""}` {
		t.Errorf("purge as JSON: %+v", r)
	}
	for name, args := range map[string][]string{
		"unknown server": {"cache", "purge", "--server", "nobody", "--data-dir", g.dir},
		"nothing named":  {"cache", "purge", "--data-dir", g.dir},
		"two named":      {"cache", "purge", "--all", "--servers", "--data-dir", g.dir},
		"no gateway":     {"cache", "purge", "--all", "--data-dir", dataDir(t)},
		"no key":         {"cache", "purge", "--all", "--api", g.api},
	} {
		if r := run(t, args...); r.Code == 0 || r.Err == "" {
			t.Errorf("%s: %+v, want a failure", name, r)
		}
	}
}

// TestCacheOnRedis: with a shared server the statistics are its own, too; a purge that cannot reach a layer ends with 1 and
// names it, and one that can ends with 0 again.
func TestCacheOnRedis(t *testing.T) {
	server := testkit.StartRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	config := testkit.WriteFile(t, t.TempDir(), "sark.yaml", []byte(
		`redis: {url: "`+server.URL()+`", socket_timeout: 2s, retry_on_timeout: false, health_check_interval: 100ms}`))
	g := startGateway(t, dataDir(t), "--config", config)
	stats := run(t, "cache", "stats", "--redis", "--data-dir", g.dir)
	for _, word := range []string{"connected_clients", "total_connections_received", "keyspace_hits", "evicted_keys", " MiB", "64.0 MiB", "allkeys-lru"} {
		if stats.Code != 0 || !strings.Contains(stats.Out, word) {
			t.Errorf("stats lacks %q: %+v", word, stats)
		}
	}
	purge := func() result { return run(t, "cache", "purge", "--all", "--data-dir", g.dir) }
	if r := purge(); r.Code != 0 {
		t.Errorf("purge: %+v", r)
	}

	server.Kill()
	for name, r := range map[string]result{"purge": purge(), "stats": run(t, "cache", "stats", "--redis", "--data-dir", g.dir)} {
		if r.Code != 1 || r.Out != "" {
			t.Errorf("%s without Redis: %+v, want 1 and nothing on standard output", name, r)
		}
		if name == "stats" && !strings.Contains(r.Err, "redis.url: ask redis for INFO: ") {
			t.Errorf("%s without Redis names no setting and no cause: %s", name, r.Err)
		}
		if name == "purge" && (!strings.Contains(r.Err, "L2, the shared cache") || !strings.Contains(r.Err, "L1 of the other gateways")) {
			t.Errorf("%s without Redis names no layer: %s", name, r.Err)
		}
	}
	if r := run(t, "cache", "purge", "--servers", "--data-dir", g.dir); r.Code != 1 || strings.Count(r.Err, "L2, the shared cache") != 1 {
		t.Errorf("purge of all servers without Redis: %+v, want 1 and one cause", r)
	}
	trouble := regexp.MustCompile(`(?m)^trouble +cache L1 is not used, .*; cache L2: .*$`)
	testkit.Eventually(t, "stats tell of the trouble with both layers, on one line", func() bool {
		r := run(t, "cache", "stats", "--data-dir", g.dir)
		return r.Code == 0 && trouble.MatchString(r.Out)
	})

	server.Start()
	testkit.Eventually(t, "a purge goes through again", func() bool { return purge().Code == 0 })
}
