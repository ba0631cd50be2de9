package bench_test

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/bench"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func measurement(rps, cpu float64, p50 time.Duration) bench.Measurement {
	return bench.Measurement{RequestsPerSecond: rps, CPU: cpu, UpstreamCPU: cpu / 2, P50: p50, P99: 4 * p50}
}

func report() bench.Report {
	return bench.Report{
		Footprint: bench.Footprint{Binary: 48 << 20, Startup: 123 * time.Millisecond, IdleRSS: 36 << 20},
		Cells: []bench.Cell{
			{Variant: bench.Direct, Connections: 32, Rounds: []bench.Measurement{
				measurement(110000, 8.4, 190*time.Microsecond), measurement(107000, 8.7, 200*time.Microsecond), measurement(90000, 9.7, 250*time.Microsecond),
			}},
			{Variant: bench.Bare, Connections: 32, Rounds: []bench.Measurement{
				measurement(40000, 22, 600*time.Microsecond), measurement(50000, 20, 500*time.Microsecond), measurement(30000, 24, 700*time.Microsecond),
			}},
			{Variant: bench.Sark, Connections: 32, Rounds: []bench.Measurement{
				measurement(40000, 25, 600*time.Microsecond), measurement(30000, 27, 900*time.Microsecond), measurement(35000, 26, 800*time.Microsecond),
			}},
			{Variant: bench.Direct, Connections: 256, Rounds: []bench.Measurement{measurement(119000, 8.1, 1300*time.Microsecond)}},
		},
	}
}

func TestReportPrintsATableForEachLoad(t *testing.T) {
	golden(t, "testdata/report.golden", report().Write)
}

// golden compares what write writes with a file.
func golden(t *testing.T, file string, write func(io.Writer) error) {
	t.Helper()
	var text strings.Builder
	if err := write(&text); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestCellPicksEachFigureByItself(t *testing.T) {
	cell := bench.Cell{Rounds: []bench.Measurement{
		{RequestsPerSecond: 10, CPU: 9, UpstreamCPU: 1, P50: 5, P99: 50},
		{RequestsPerSecond: 30, CPU: 7, UpstreamCPU: 3, P50: 4, P99: 70},
		{RequestsPerSecond: 20, CPU: 8, UpstreamCPU: 2, P50: 6, P99: 60},
		{RequestsPerSecond: 40, CPU: 6, UpstreamCPU: 4, P50: 7, P99: 80},
	}}
	best := bench.Measurement{RequestsPerSecond: 40, CPU: 6, UpstreamCPU: 1, P50: 4, P99: 50}
	median := bench.Measurement{RequestsPerSecond: 30, CPU: 7, UpstreamCPU: 2, P50: 5, P99: 60}
	if diff := cmp.Diff(best, cell.Best()); diff != "" {
		t.Errorf("best (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(median, cell.Median()); diff != "" {
		t.Errorf("median (-want +got):\n%s", diff)
	}
	if empty := (bench.Cell{}).Best(); empty != (bench.Measurement{}) {
		t.Errorf("a cell without rounds has %+v", empty)
	}
}
