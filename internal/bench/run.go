package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Options says what to run and for how long. The commands and the binary are required.
type Options struct {
	// Binary is the path of sark.
	Binary string
	// Upstream and Proxy are the commands that call ServeUpstream and ServeProxy. They take the flag -listen with an
	// address, and Proxy also -upstream.
	Upstream, Proxy []string
	// Postgres is the URL of a database for one more variant, which leaves its tables there; empty does without.
	Postgres string
	// Redis is the command of a redis-server for one more variant of RunCache; empty does without.
	Redis []string
	// Only leaves out the variants of RunCache, and its workload "zipf", whose names do not contain it.
	Only string
	// Connections are the loads, in open connections. Default: 32 and 256.
	Connections []int
	// Rounds is how often every cell is measured. Default: 5.
	Rounds int
	// Duration is how long one measurement takes. Default: 3 s.
	Duration time.Duration
	// Starts is how often the gateway is started to time it. Default: 5.
	Starts int
	// Log receives what the processes print and which round is on; nil discards it.
	Log io.Writer
}

func (o Options) withDefaults() Options {
	if len(o.Connections) == 0 {
		o.Connections = []int{32, 256}
	}
	if o.Rounds == 0 {
		o.Rounds = 5
	}
	if o.Duration == 0 {
		o.Duration = 3 * time.Second
	}
	if o.Starts == 0 {
		o.Starts = 5
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

func (o Options) validate() error {
	if o.Binary == "" || len(o.Upstream) == 0 || len(o.Proxy) == 0 {
		return errors.New("bench: Binary, Upstream and Proxy are required")
	}
	if o.Rounds < 0 || o.Duration < 0 || o.Starts < 0 || slices.ContainsFunc(o.Connections, func(n int) bool { return n < 1 }) {
		return errors.New("bench: Rounds, Duration, Starts and Connections must not be negative")
	}
	return nil
}

// Run measures all variants and returns the figures. Everything it starts has ended when it returns, and what it wrote
// is removed. It fails on the first reply that is not the tool's result.
func Run(ctx context.Context, o Options) (report Report, err error) {
	if err := o.validate(); err != nil {
		return Report{}, err
	}
	o = o.withDefaults()
	dir, err := os.MkdirTemp("", "sark-bench-")
	if err != nil {
		return Report{}, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := newProvider()
	if err != nil {
		return Report{}, err
	}
	if report.Footprint, err = measureFootprint(ctx, o, p, filepath.Join(dir, "starts")); err != nil {
		return Report{}, err
	}
	report.Cells, err = measureCells(ctx, o, p, filepath.Join(dir, "rounds"))
	return report, err
}

// measureCells runs the rounds: every variant under every load, in an order that turns round every other time, so that
// nobody always follows the same neighbour.
func measureCells(ctx context.Context, o Options, p provider, dir string) (cells []Cell, err error) {
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	b, err := newBed(ctx, o, p, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	cells = newCells(o.Connections, b.variants)
	order := make([]int, len(cells))
	for i := range order {
		order[i] = i
	}
	bytes := request(token)
	for round := range o.Rounds {
		_, _ = fmt.Fprintf(o.Log, "round %d of %d\n", round+1, o.Rounds)
		for _, i := range order {
			v := b.variants[i%len(b.variants)]
			m, err := b.measure(ctx, v, load{addr: v.addr, request: bytes, connections: cells[i].Connections, duration: o.Duration})
			if err != nil {
				return nil, fmt.Errorf("measure %s: %w", v.name, err)
			}
			cells[i].Rounds = append(cells[i].Rounds, m)
		}
		slices.Reverse(order)
	}
	return cells, nil
}

// newCells lays out the variants within each load.
func newCells(connections []int, variants []variant) []Cell {
	var cells []Cell
	for _, n := range connections {
		for _, v := range variants {
			cells = append(cells, Cell{Variant: v.name, Connections: n})
		}
	}
	return cells
}

// measure warms the variant up, loads it, and charges it with the CPU time that its process spent meanwhile.
func (b *bed) measure(ctx context.Context, v variant, l load) (Measurement, error) {
	warm := l
	warm.duration, warm.cached = l.duration/10, ""
	if _, err := warm.run(ctx); err != nil {
		return Measurement{}, err
	}
	own, upstream, err := b.cpu(v)
	if err != nil {
		return Measurement{}, err
	}
	s, err := l.run(ctx)
	if err != nil {
		return Measurement{}, err
	}
	ownEnd, upstreamEnd, err := b.cpu(v)
	if err != nil {
		return Measurement{}, err
	}
	return s.measurement(ownEnd-own, upstreamEnd-upstream), nil
}

func (b *bed) cpu(v variant) (own, upstream time.Duration, err error) {
	if own, err = v.process.CPU(); err != nil {
		return 0, 0, err
	}
	upstream, err = b.upstream.CPU()
	return own, upstream, err
}
