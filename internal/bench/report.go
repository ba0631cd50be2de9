package bench

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is the outcome of a run.
type Report struct {
	Footprint Footprint
	// Cells holds every variant within every load, direct first.
	Cells []Cell
}

// Cell is one variant under one load.
type Cell struct {
	Variant     string
	Connections int
	// Rounds holds one measurement for every round, in the order of the rounds.
	Rounds []Measurement
}

// Measurement is one variant under one load in one round.
type Measurement struct {
	// RequestsPerSecond is the rate of complete replies.
	RequestsPerSecond float64
	// CPU is the processor time of the variant's process per request, in microseconds; for direct, the upstream's.
	CPU float64
	// UpstreamCPU is the same of the upstream: when it moves, the machine was busy with something else.
	UpstreamCPU float64
	// P50 and P99 are latencies seen by the client.
	P50, P99 time.Duration
}

func (s sample) measurement(own, upstream time.Duration) Measurement {
	n := float64(s.requests)
	return Measurement{
		RequestsPerSecond: n / s.elapsed.Seconds(),
		CPU:               float64(own.Nanoseconds()) / 1e3 / n,
		UpstreamCPU:       float64(upstream.Nanoseconds()) / 1e3 / n,
		P50:               time.Duration(s.latencies.ValueAtQuantile(50)) * time.Microsecond,
		P99:               time.Duration(s.latencies.ValueAtQuantile(99)) * time.Microsecond,
	}
}

// Best returns the best of each figure over the rounds, which may come from different rounds.
func (c Cell) Best() Measurement {
	return c.pick(func(sorted []float64) float64 { return sorted[0] })
}

// Median returns the median of each figure over the rounds; of an even number of rounds, the better middle one.
func (c Cell) Median() Measurement {
	return c.pick(func(sorted []float64) float64 { return sorted[(len(sorted)-1)/2] })
}

// pick chooses from each figure's values, sorted from good to bad.
func (c Cell) pick(choose func(sorted []float64) float64) Measurement {
	if len(c.Rounds) == 0 {
		return Measurement{}
	}
	figure := func(sign float64, of func(Measurement) float64) float64 {
		values := make([]float64, len(c.Rounds))
		for i, m := range c.Rounds {
			values[i] = sign * of(m)
		}
		slices.Sort(values)
		return sign * choose(values)
	}
	return Measurement{
		RequestsPerSecond: figure(-1, func(m Measurement) float64 { return m.RequestsPerSecond }),
		CPU:               figure(1, func(m Measurement) float64 { return m.CPU }),
		UpstreamCPU:       figure(1, func(m Measurement) float64 { return m.UpstreamCPU }),
		P50:               time.Duration(figure(1, func(m Measurement) float64 { return float64(m.P50) })),
		P99:               time.Duration(figure(1, func(m Measurement) float64 { return float64(m.P99) })),
	}
}

// Write prints the report for people: a table of best / median for each load, what SARK costs against the bare proxy,
// and the footprint.
func (r Report) Write(w io.Writer) error {
	for _, load := range r.loads() {
		if err := r.writeTable(w, load); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	f := r.Footprint
	_, err := fmt.Fprintf(w, "Figures are best / median of %d rounds.\nsark: binary %.1f MiB, start to ready %.0f ms, idle RSS %.1f MiB\n",
		r.rounds(), mebibytes(f.Binary), milliseconds(f.Startup), mebibytes(f.IdleRSS))
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// writeTable prints one load. The table writer keeps its first error for Flush.
func (r Report) writeTable(w io.Writer, load int) error {
	table := tabwriter.NewWriter(w, 18, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(table, "%d connections\treq/s\tCPU µs/req\tupstream µs/req\tp50 ms\tp99 ms\t\n", load)
	for _, c := range r.Cells {
		if c.Connections == load {
			writeRow(table, c.Variant, c.Best(), c.Median())
		}
	}
	for _, v := range []string{Sark, Spool, Server} {
		r.writeRatio(table, v, load)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// loads returns the numbers of connections, in order, each once.
func (r Report) loads() []int {
	var loads []int
	for _, c := range r.Cells {
		loads = append(loads, c.Connections)
	}
	slices.Sort(loads)
	return slices.Compact(loads)
}

func (r Report) rounds() int {
	if len(r.Cells) == 0 {
		return 0
	}
	return len(slices.MaxFunc(r.Cells, func(a, b Cell) int { return cmp.Compare(len(a.Rounds), len(b.Rounds)) }).Rounds)
}

func writeRow(w io.Writer, name string, best, median Measurement) {
	_, _ = fmt.Fprintf(w, "%s\t%.0f / %.0f\t%.1f / %.1f\t%.1f / %.1f\t%.2f / %.2f\t%.2f / %.2f\t\n", name,
		best.RequestsPerSecond, median.RequestsPerSecond, best.CPU, median.CPU, best.UpstreamCPU, median.UpstreamCPU,
		milliseconds(best.P50), milliseconds(median.P50), milliseconds(best.P99), milliseconds(median.P99))
}

// writeRatio divides the best figures of a variant of SARK by the bare proxy's.
func (r Report) writeRatio(w io.Writer, variant string, load int) {
	bare, okBare := r.cell(Bare, load)
	sark, okSark := r.cell(variant, load)
	if !okBare || !okSark {
		return
	}
	b, s := bare.Best(), sark.Best()
	_, _ = fmt.Fprintf(w, "%s ÷ bare\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", variant, s.RequestsPerSecond/b.RequestsPerSecond,
		s.CPU/b.CPU, s.UpstreamCPU/b.UpstreamCPU, float64(s.P50)/float64(b.P50), float64(s.P99)/float64(b.P99))
}

func (r Report) cell(variant string, load int) (Cell, bool) {
	i := slices.IndexFunc(r.Cells, func(c Cell) bool { return c.Variant == variant && c.Connections == load })
	if i < 0 {
		return Cell{}, false
	}
	return r.Cells[i], true
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
