//go:build conformance

package conformance_test

import (
	"context"
	"maps"
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

// TestConformance runs each leg directly, which must give the recorded figures, and then once for each variant, which
// must give the same status for every check. Every run has a reference server of its own, because what one run changes
// there, another would be told of.
func TestConformance(t *testing.T) {
	kit, err := conformance.Install(t.Context(), cacheDir(t), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	direct := make(map[string]conformance.Report)
	for _, leg := range conformance.Legs() {
		report := run(t, kit, leg, conformance.Site{URL: serve(t, kit, leg)})
		if passed, failed := report.Totals(); passed != leg.Passed || failed != leg.Failed {
			t.Fatalf("direct: %d passed, %d failed; the record says %d and %d", passed, failed, leg.Passed, leg.Failed)
		}
		direct[leg.Name] = report
	}
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			testVariant(t, kit, v, direct)
		})
	}
}

// testVariant runs both legs at once, so that a variant with one gateway for both serves them at once.
func testVariant(t *testing.T, kit *conformance.Kit, v variant, direct map[string]conformance.Report) {
	servers := make(map[string]string)
	for _, leg := range conformance.Legs() {
		servers[leg.Name] = serve(t, kit, leg)
	}
	sites, verify := v.place(t, servers)
	t.Run("suite", func(t *testing.T) {
		for _, leg := range conformance.Legs() {
			t.Run(leg.Name, func(t *testing.T) {
				t.Parallel()
				want := direct[leg.Name]
				if !v.bare {
					want = governed(want)
				}
				got := run(t, kit, leg, sites[leg.Name])
				for _, line := range conformance.Compare(want, got) {
					t.Error(line)
				}
			})
		}
	})
	if verify != nil {
		verify(t)
	}
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

// serve starts the reference server of a leg for the rest of the test and returns its URL.
func serve(t *testing.T, kit *conformance.Kit, leg conformance.Leg) string {
	t.Helper()
	server, url, err := kit.StartServer(t.Context(), leg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	return url
}

func run(t *testing.T, kit *conformance.Kit, leg conformance.Leg, site conformance.Site) conformance.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	report, err := kit.Run(ctx, leg, site, filepath.Join(t.TempDir(), "records"), nil)
	if err != nil {
		t.Fatal(err)
	}
	passed, failed := report.Totals()
	t.Logf("%s: %d passed, %d failed", leg.Requirements, passed, failed)
	return report
}

func stop(t *testing.T, p *rig.Process) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
