package cli_test

import (
	"strings"
	"testing"
)

// TestCacheCommands asks a running gateway for its statistics and tells it to forget.
func TestCacheCommands(t *testing.T) {
	g := startGateway(t, dataDir(t))
	stats := run(t, "cache", "stats", "--redis", "--data-dir", g.dir)
	if stats.Code != 0 || !strings.Contains(stats.Out, "hit rate") || !strings.Contains(stats.Out, "none: the cache is in this process alone") {
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
