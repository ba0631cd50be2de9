package bench_test

import (
	"math"
	"testing"
	"time"

	"sark/internal/bench"
)

// TestSlope: memory that grows by 6 MiB an hour, live heap by 1 MiB, after a start that grows faster.
func TestSlope(t *testing.T) {
	var r bench.SoakReport
	for i := range 90 {
		at := time.Duration(i) * time.Minute
		rss := 100 << 20
		if i < 30 {
			rss = i << 20
		}
		r.Samples = append(r.Samples, bench.Sample{After: at, RSS: int64(rss) + int64(at.Hours()*(6<<20)), Heap: int64(at.Hours() * (1 << 20))})
	}
	if got, want := r.Slope(), float64(6<<20); math.Abs(got-want) > want/1000 {
		t.Errorf("slope %.0f, want %.0f", got, want)
	}
	if got, want := r.HeapSlope(), float64(1<<20); math.Abs(got-want) > want/1000 {
		t.Errorf("slope of the heap %.0f, want %.0f", got, want)
	}
	if got := (bench.SoakReport{}).Slope(); got != 0 {
		t.Errorf("slope of nothing is %v", got)
	}
}

func TestLongMeasurementsRefuseMissingOptions(t *testing.T) {
	if _, err := bench.Soak(t.Context(), bench.SoakOptions{}); err == nil {
		t.Error("a soak without a gateway ran")
	}
	if _, err := bench.MeasureStreams(t.Context(), bench.StreamOptions{}); err == nil {
		t.Error("streams without a gateway ran")
	}
}
