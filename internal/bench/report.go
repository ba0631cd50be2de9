package bench

import (
	"fmt"
	"io"
	"slices"
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
	if err := writeTables(w, r.Cells, []ratio{{Sark, Bare, "sark ÷ bare"}, {Spool, Bare, Spool + " ÷ bare"}, {Server, Bare, Server + " ÷ bare"}}); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	f := r.Footprint
	_, err := fmt.Fprintf(w, "sark: binary %.1f MiB, start to ready %.0f ms, idle RSS %.1f MiB\n",
		mebibytes(f.Binary), milliseconds(f.Startup), mebibytes(f.IdleRSS))
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
