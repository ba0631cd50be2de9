package bench_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/bench"
)

// cacheOptions runs this test binary as the catalogue and as the gateways.
func cacheOptions(t *testing.T) bench.Options {
	return bench.Options{
		Binary: os.Args[0], Upstream: []string{os.Args[0], "catalogue"}, Connections: []int{2, 4}, Rounds: 2,
		Duration: 50 * time.Millisecond, Log: t.Output(),
	}
}

func variants(cells []bench.Cell) (names []string) {
	for _, c := range cells {
		if c.Connections == cells[0].Connections {
			names = append(names, c.Variant)
		}
	}
	return names
}

func TestRunCacheMeasuresHitsMissesAndTheHitRate(t *testing.T) {
	report, err := bench.RunCache(t.Context(), cacheOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		bench.BareResource, bench.HitResource, bench.HitSpool, bench.BareList, bench.HitList, bench.BarePlain, bench.HitPlain,
		bench.MissOff, bench.MissOn,
	}
	if diff := cmp.Diff(want, variants(report.Cells)); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
	for _, c := range report.Cells {
		if len(c.Rounds) != 2 {
			t.Errorf("%s with %d connections has %d rounds", c.Variant, c.Connections, len(c.Rounds))
		}
		for _, m := range c.Rounds {
			if m.RequestsPerSecond <= 0 || m.P50 <= 0 || m.P99 < m.P50 {
				t.Errorf("%s with %d connections: %+v", c.Variant, c.Connections, m)
			}
		}
	}
	if report.Zipf <= 0 || report.Zipf > 1 || report.ZipfRequests <= 0 {
		t.Errorf("hit rate %v of %d requests", report.Zipf, report.ZipfRequests)
	}
}

func TestRunCacheStartsRedis(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("redis-server is not installed: `make test` installs it for root")
	}
	o := cacheOptions(t)
	o.Redis, o.Only = []string{"redis-server"}, bench.HitShared
	report, err := bench.RunCache(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{bench.HitShared}, variants(report.Cells)); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
}

// A gateway that forgets must not be measured as one that does not.
func TestRunCacheFailsWhenAHitIsNone(t *testing.T) {
	o := cacheOptions(t)
	o.Only = bench.HitResource
	o.Binary = forgetful(t)
	_, err := bench.RunCache(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), `the reply is a "" of the cache, want "HIT"`) {
		t.Errorf("error %v", err)
	}
}

// forgetful is a gateway whose cache is off whatever its configuration says.
func forgetful(t *testing.T) string {
	t.Helper()
	file := t.TempDir() + "/sark"
	script := "#!/bin/sh\nexec env SARK_BENCH_FORGETS=1 " + os.Args[0] + ` "$@"` + "\n"
	if err := os.WriteFile(file, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCacheReportPrintsRatiosAndTheHitRate(t *testing.T) {
	report := bench.CacheReport{
		Cells: []bench.Cell{
			{Variant: bench.BareResource, Connections: 32, Rounds: []bench.Measurement{measurement(100000, 8, 200*time.Microsecond)}},
			{Variant: bench.HitResource, Connections: 32, Rounds: []bench.Measurement{measurement(70000, 14, 300*time.Microsecond)}},
			{Variant: bench.MissOff, Connections: 32, Rounds: []bench.Measurement{measurement(40000, 25, 600*time.Microsecond)}},
			{Variant: bench.MissOn, Connections: 32, Rounds: []bench.Measurement{measurement(38000, 26, 700*time.Microsecond)}},
		},
		Shared: 0.92, Zipf: 0.755, ZipfRequests: 12345,
	}
	golden(t, "testdata/cachereport.golden", report.Write)
}
