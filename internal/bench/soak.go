package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"sark/internal/rig"
)

// everybody is the policy of Soak and Streams: the bench's principal may do all but one thing.
const everybody = `package sark

default decision := {"allow": false, "reason": "no rule allows this", "rule": "default"}

decision := {"allow": true, "reason": "the caller may do this", "rule": "bench"} if {
	"bench" in input.principal.roles
	not forbidden
}

forbidden if input.tool.name == "forbidden"
`

// SoakOptions says how long mixed traffic is sent. Binary and Upstream are required.
type SoakOptions struct {
	// Binary is the path of sark.
	Binary string
	// Upstream is the command that calls ServeMoods. It takes the flag -listen with an address.
	Upstream []string
	// Duration is how long the traffic lasts. Default: 30 minutes.
	Duration time.Duration
	// Rate is how many requests are sent in a second, by all workers together. Default: 200.
	Rate int
	// Log receives what the processes print and a line a minute; nil discards it.
	Log io.Writer
}

// sampling is how often a soak looks at the gateway.
const sampling = 5 * time.Second

// workers is how many clients a soak has.
const workers = 16

// SoakReport is what a soak saw.
type SoakReport struct {
	// Requests counts what was sent, by kind; Wrong counts replies that were not those expected, by kind and status.
	Requests, Wrong map[string]int
	// Samples are the looks at the gateway, in order.
	Samples []Sample
}

// Sample is one look at the gateway.
type Sample struct {
	// After is how long the traffic had lasted.
	After time.Duration
	// RSS is the resident memory in bytes.
	RSS int64
	// Heap is the size in bytes at which the heap is collected next: about twice what was live at the last collection,
	// whatever garbage there is at the moment.
	Heap int64
	// Goroutines is how many there were.
	Goroutines int
}

// Soak sends mixed traffic through a gateway: calls that are answered whole, as events, large, in pieces, wrongly or not at
// all, refused ones of several kinds, and clients that leave. It looks at the gateway's memory meanwhile.
func Soak(ctx context.Context, o SoakOptions) (report SoakReport, err error) {
	if o.Binary == "" || len(o.Upstream) == 0 || o.Duration < 0 || o.Rate < 0 {
		return SoakReport{}, errors.New("soak: Binary and Upstream are required, Duration and Rate must not be negative")
	}
	if o.Duration == 0 {
		o.Duration = 30 * time.Minute
	}
	if o.Rate == 0 {
		o.Rate = 200
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	t, err := newTestBed(ctx, Options{Binary: o.Binary, Upstream: o.Upstream, Log: o.Log}, map[string]any{
		"max_streams": 1000, "hidden_tools": "denied", "breaker": map[string]any{"enabled": false},
	})
	if err != nil {
		return SoakReport{}, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	ctx, cancel := context.WithTimeout(ctx, o.Duration)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	clients := make([]*soaker, workers)
	for i := range clients {
		clients[i] = newSoaker(t, i)
		pause := time.Second * workers / time.Duration(o.Rate)
		group.Go(func() error { return clients[i].run(ctx, pause) })
	}
	group.Go(func() (err error) {
		report.Samples, err = watch(ctx, t.gateway, o.Log)
		return err
	})
	if err := group.Wait(); err != nil {
		return SoakReport{}, fmt.Errorf("soak: %w", err)
	}
	report.Requests, report.Wrong = map[string]int{}, map[string]int{}
	for _, c := range clients {
		add(report.Requests, c.requests)
		add(report.Wrong, c.wrong)
	}
	return report, nil
}

func add(to, from map[string]int) {
	for k, n := range from {
		to[k] += n
	}
}

// watch looks at the gateway until ctx ends.
func watch(ctx context.Context, g *rig.Gateway, log io.Writer) ([]Sample, error) {
	var all []Sample
	begin := time.Now()
	tick := time.NewTicker(sampling)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return all, nil
		case <-tick.C:
		}
		s, err := look(ctx, g, time.Since(begin))
		if ctx.Err() != nil {
			return all, nil //nolint:nilerr // the time is up
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, s); len(all)%12 == 0 {
			_, _ = fmt.Fprintf(log, "%v: %s\n", s.After.Round(time.Second), s)
		}
	}
}

func look(ctx context.Context, g *rig.Gateway, after time.Duration) (Sample, error) {
	rss, err := g.RSS()
	if err != nil {
		return Sample{}, err
	}
	n, err := g.Gauge(ctx, "go_goroutines")
	if err != nil {
		return Sample{}, err
	}
	heap, err := g.Gauge(ctx, "go_memstats_next_gc_bytes")
	return Sample{After: after, RSS: rss, Heap: int64(heap), Goroutines: int(n)}, err
}

// String says what a look has seen.
func (s Sample) String() string {
	return fmt.Sprintf("%d KiB, next collection at %d KiB, %d goroutines", s.RSS>>10, s.Heap>>10, s.Goroutines)
}

// Slope returns by how many bytes an hour the resident memory grew, and HeapSlope that of Sample.Heap, as the straight line
// that fits the samples of the last two thirds best: the first third warms pools and caches up. Garbage that waits for its
// collection makes the resident memory go up and down, and its slope with it; the other one is what a leak would show in. They
// are 0 with less than three samples there.
func (r SoakReport) Slope() float64 { return r.slope(func(s Sample) int64 { return s.RSS }) }

// HeapSlope is Slope of Sample.Heap.
func (r SoakReport) HeapSlope() float64 { return r.slope(func(s Sample) int64 { return s.Heap }) }

func (r SoakReport) slope(of func(Sample) int64) float64 {
	late := r.Samples[len(r.Samples)/3:]
	if len(late) < 3 {
		return 0
	}
	var x, y float64
	for _, s := range late {
		x += s.After.Hours()
		y += float64(of(s))
	}
	x, y = x/float64(len(late)), y/float64(len(late))
	var up, down float64
	for _, s := range late {
		dx := s.After.Hours() - x
		up += dx * (float64(of(s)) - y)
		down += dx * dx
	}
	return up / down
}

// Write prints the report as a table.
func (r SoakReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, kind := range kinds() {
		_, _ = fmt.Fprintf(t, "%s\t%d\n", kind.name, r.Requests[kind.name])
	}
	for kind, n := range r.Wrong {
		_, _ = fmt.Fprintf(t, "WRONG: %s\t%d\n", kind, n)
	}
	if n := len(r.Samples); n > 0 {
		for _, s := range []Sample{r.Samples[0], r.Samples[n/3], r.Samples[2*n/3], r.Samples[n-1]} {
			_, _ = fmt.Fprintf(t, "after %v\t%s\n", s.After.Round(time.Second), s)
		}
	}
	_, _ = fmt.Fprintf(t, "slope of the last two thirds\t%.0f KiB/h, of the next collection %.0f KiB/h\n", r.Slope()/1024, r.HeapSlope()/1024)
	return t.Flush()
}

// testBed is a gateway before a server with moods.
type testBed struct {
	bed
	gateway *rig.Gateway
	token   string
	dir     string
}

func newTestBed(ctx context.Context, o Options, proxy map[string]any) (*testBed, error) {
	o = o.withDefaults()
	dir, err := os.MkdirTemp("", "sark-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a test bed: %w", err)
	}
	t := &testBed{dir: dir}
	if err := t.start(ctx, o, proxy); err != nil {
		return nil, errors.Join(err, t.stop())
	}
	return t, nil
}

func (t *testBed) start(ctx context.Context, o Options, proxy map[string]any) error {
	p, err := newProvider()
	if err != nil {
		return err
	}
	if t.token, err = p.token(); err != nil {
		return err
	}
	upstream, err := t.child(ctx, "upstream", o.Upstream, o.Log)
	if err != nil {
		return err
	}
	t.gateway, err = startGateway(ctx, o, p, upstream.addr, t.dir, settings{
		policy: everybody, proxy: proxy,
		sections: map[string]any{"http_pool": map[string]any{"connections": 20000}},
	})
	if err != nil {
		return err
	}
	t.stops = append(t.stops, t.gateway.Stop)
	return nil
}

func (t *testBed) stop() error { return errors.Join(t.bed.stop(), os.RemoveAll(t.dir)) }
