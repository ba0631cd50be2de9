//go:build conformance

package conformance_test

import (
	"context"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sark/internal/conformance"
	"sark/internal/rig"
)

// Where the harness finds its inputs; the Makefile sets both.
const (
	binaryVariable = "SARK_TEST_BINARY"       // The gateway under test.
	cacheVariable  = "SARK_CONFORMANCE_CACHE" // Where the suite is kept between runs; default: below the user's cache.
)

// allowAll lets every check reach the upstream: what is tested is the way there and back.
const allowAll = `package sark

decision := {"allow": true, "reason": "allow all", "rule": "allow_all"}
`

// TestConformance runs each leg directly, which must give the recorded figures, and then through the gateway, which
// must give the same status for every check.
func TestConformance(t *testing.T) {
	kit, err := conformance.Install(t.Context(), cacheDir(t), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, leg := range conformance.Legs() {
		t.Run(leg.Name, func(t *testing.T) { testLeg(t, kit, leg) })
	}
}

func testLeg(t *testing.T, kit *conformance.Kit, leg conformance.Leg) {
	server, url, err := kit.StartServer(t.Context(), leg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })

	direct := run(t, kit, leg, url)
	if passed, failed := direct.Totals(); passed != leg.Passed || failed != leg.Failed {
		t.Fatalf("direct: %d passed, %d failed; the record says %d and %d", passed, failed, leg.Passed, leg.Failed)
	}
	t.Run("relay", func(t *testing.T) {
		equal(t, direct, run(t, kit, leg, lifetimes(t, url)))
	})
	t.Run("cache_off", func(t *testing.T) {
		g := gateway(t, url, false)
		equal(t, governed(direct), run(t, kit, leg, "http://"+g.Proxy+"/mcp"))
	})
	t.Run("cache_on", func(t *testing.T) {
		g := gateway(t, lifetimes(t, url), true)
		equal(t, governed(direct), run(t, kit, leg, "http://"+g.Proxy+"/mcp"))
		hits, err := g.Counter(t.Context(), "sark_cachemw_lookups_total", map[string]string{"result": "hit"})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%.0f replies came from the cache", hits)
		if leg.Stateless && hits == 0 { // Only the modern era knows how long a reply stays fresh.
			t.Error("no reply came from the cache")
		}
	})
}

// governed is what the gateway must give where a direct run gave direct: the same, but for what it answers itself, since a
// task that the caller did not create is none to the server either, whether or not the server knows of tasks.
func governed(direct conformance.Report) conformance.Report {
	const unknownTask = "tasks-dispatch-and-envelope/sep-2663-tasks-get-invalid-task-id-32602"
	want := maps.Clone(direct)
	if _, ok := want[unknownTask]; ok {
		want[unknownTask] = []string{"SUCCESS"}
	}
	return want
}

func cacheDir(t *testing.T) string {
	if dir := os.Getenv(cacheVariable); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "sark", "conformance")
}

func run(t *testing.T, kit *conformance.Kit, leg conformance.Leg, url string) conformance.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	report, err := kit.Run(ctx, leg, url, filepath.Join(t.TempDir(), "records"), nil)
	if err != nil {
		t.Fatal(err)
	}
	passed, failed := report.Totals()
	t.Logf("%s: %d passed, %d failed", leg.Requirements, passed, failed)
	return report
}

func equal(t *testing.T, want, got conformance.Report) {
	t.Helper()
	for _, line := range conformance.Compare(want, got) {
		t.Error(line)
	}
}

func lifetimes(t *testing.T, target string) string {
	t.Helper()
	h, err := conformance.Lifetimes(target)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections() // A standing GET stream would keep Close waiting.
		s.Close()
	})
	return s.URL + "/mcp"
}

func gateway(t *testing.T, upstream string, cache bool) *rig.Gateway {
	t.Helper()
	binary := os.Getenv(binaryVariable)
	if binary == "" {
		t.Fatalf("%s is not set: it names the gateway to test; `make conformance` builds it and sets the variable", binaryVariable)
	}
	bundle := t.TempDir()
	if err := os.WriteFile(filepath.Join(bundle, "allow.rego"), []byte(allowAll), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := rig.StartGateway(ctx, rig.GatewayOptions{
		Binary:   binary,
		Dir:      t.TempDir(),
		Upstream: upstream,
		Sections: map[string]any{
			"authn": map[string]any{"anonymous": map[string]any{"allow": true, "roles": []string{"anonymous"}}},
			"authz": map[string]any{"bundle": bundle},
			"cache": map[string]any{"enabled": cache},
		},
		Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, g.Process) })
	return g
}

func stop(t *testing.T, p *rig.Process) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
