package bench_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/bench"
)

func TestRunMeasuresEveryVariantUnderEveryLoadInEveryRound(t *testing.T) {
	report, err := bench.Run(t.Context(), bench.Options{
		Binary:      os.Args[0],
		Upstream:    []string{os.Args[0], "upstream"},
		Proxy:       []string{os.Args[0], "proxy"},
		Connections: []int{2, 8},
		Rounds:      2,
		Duration:    100 * time.Millisecond,
		Starts:      1,
		Log:         t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}

	type cell struct {
		Variant             string
		Connections, Rounds int
	}
	var got []cell
	for _, c := range report.Cells {
		got = append(got, cell{c.Variant, c.Connections, len(c.Rounds)})
		for _, m := range c.Rounds {
			if m.RequestsPerSecond <= 0 || m.P50 <= 0 || m.P99 < m.P50 {
				t.Errorf("%s with %d connections: %+v", c.Variant, c.Connections, m)
			}
		}
	}
	want := []cell{
		{bench.Direct, 2, 2},
		{bench.Bare, 2, 2},
		{bench.Sark, 2, 2},
		{bench.Spool, 2, 2},
		{bench.Direct, 8, 2},
		{bench.Bare, 8, 2},
		{bench.Sark, 8, 2},
		{bench.Spool, 8, 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if f := report.Footprint; f.Binary <= 0 || f.Startup <= 0 || f.IdleRSS <= 0 {
		t.Errorf("footprint %+v", f)
	}
}

func TestRunFailsWhenTheGatewayDoes(t *testing.T) {
	_, err := bench.Run(t.Context(), bench.Options{
		Binary: "/bin/false", Upstream: []string{os.Args[0], "upstream"}, Proxy: []string{os.Args[0], "proxy"},
	})
	if err == nil {
		t.Error("a run without a gateway succeeded")
	}
}

func TestRunRefusesMissingOptions(t *testing.T) {
	for _, o := range []bench.Options{
		{},
		{Binary: "sark", Upstream: []string{"u"}, Proxy: []string{"p"}, Rounds: -1},
		{Binary: "sark", Upstream: []string{"u"}, Proxy: []string{"p"}, Connections: []int{32, 0}},
	} {
		if _, err := bench.Run(t.Context(), o); err == nil {
			t.Errorf("%+v ran", o)
		}
	}
}
