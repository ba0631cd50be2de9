package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sark/internal/rig"
)

// The variants of a CacheReport: who answers, and what was asked.
const (
	BareResource = "bare handler, resource"
	BareList     = "bare handler, list"
	BarePlain    = "bare handler, GET"
	HitResource  = "hit, resource"             // in the process; the trail goes to SQLite
	HitSpool     = "hit, resource, spool only" // what the request costs without what follows it
	HitList      = "hit, list"                 // each of its tools is decided anew
	HitPlain     = "hit, GET"
	HitShared    = "hit in Redis, resource" // only with Options.Redis
	MissOff      = "miss, cache off"
	MissOn       = "miss, cache on"
)

const (
	// pages is how many resources are read in turn to be found in Redis: the gateway's own memory, as small as it may be, has
	// room for a twelfth of them.
	pages = 8192
	// Of so many resources a client of the zipf workload asks for a few often and for most hardly ever, and the gateway has
	// room for about a twentieth of them, overhead included.
	zipfKeys  = 20_000
	zipfBytes = "1536KiB"
	zipfSkew  = 1.05
)

// CacheReport is what RunCache measured.
type CacheReport struct {
	// Cells holds every variant within every load.
	Cells []Cell
	// Shared is the part of the hits of HitShared that Redis answered, 0 to 1; the others were in the process.
	Shared float64
	// Zipf is the part of the requests of the zipf workload that were hits, 0 to 1, and ZipfRequests how many there were.
	Zipf         float64
	ZipfRequests int64
}

// RunCache measures what a hit costs against a handler that answers by itself, and what the cache adds to a miss, with a
// verified token, a policy decision and a written audit event per request. Options.Upstream calls ServeCatalogue here;
// Proxy, Postgres and Starts are not used. It fails on the first reply that is not what its variant is named for.
func RunCache(ctx context.Context, o Options) (report CacheReport, err error) {
	if o.Proxy == nil {
		o.Proxy = o.Upstream
	}
	if err := o.validate(); err != nil {
		return CacheReport{}, err
	}
	o = o.withDefaults()
	dir, err := os.MkdirTemp("", "sark-bench-")
	if err != nil {
		return CacheReport{}, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &cacheBed{o: o, dir: dir}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx); err != nil {
		return CacheReport{}, err
	}
	return b.measureAll(ctx)
}

// cacheBed holds every process of RunCache.
type cacheBed struct {
	bed
	o     Options
	p     provider
	dir   string
	token string
	addr  string       // of the upstream
	cases []cacheCase  // in the order of the report
	zipf  variant      // a gateway with little room
	redis *rig.Gateway // nil without Options.Redis
	count atomic.Uint64
}

// cacheCase is a variant and what it is asked.
type cacheCase struct {
	variant
	load
}

// start starts the catalogue and the gateways, one for each way to the cache, so that what one of them is asked does not
// drive out what another is to find.
func (b *cacheBed) start(ctx context.Context) (err error) {
	if b.p, err = newProvider(); err != nil {
		return err
	}
	if b.token, err = b.p.token(); err != nil {
		return err
	}
	bare, err := b.child(ctx, "catalogue", b.o.Upstream, b.o.Log)
	if err != nil {
		return err
	}
	b.upstream, b.addr = bare.process, bare.addr
	on, away := map[string]any{"enabled": true}, map[string]any{"url": "postgres://sark@" + nobody + "/sark"}
	var hits, spool, off, misses, shared variant
	for _, g := range []struct {
		at       *variant
		sections map[string]any
	}{
		{&hits, map[string]any{"cache": on}},
		{&spool, map[string]any{"cache": on, "store": away}},
		{&off, nil},
		{&misses, map[string]any{"cache": on}},
		{&b.zipf, map[string]any{"cache": map[string]any{"enabled": true, "max_bytes": zipfBytes}}},
	} {
		if *g.at, _, err = b.gateway(ctx, g.sections); err != nil {
			return err
		}
	}
	if len(b.o.Redis) > 0 {
		if shared, err = b.shared(ctx); err != nil {
			return err
		}
	}
	b.ask(bare, hits, spool, shared, off, misses)
	return nil
}

// ask lays out what each variant is asked. shared is empty without Options.Redis.
func (b *cacheBed) ask(bare, hits, spool, shared, off, misses variant) {
	resource, list, get := resourceRequest(b.token, "00000000"), listRequest(b.token), plainRequest(b.token)
	numbered := resourceRequest(b.token, placeholder)
	unique := func() uint64 { return b.count.Add(1) }
	inTurn := func() uint64 { return b.count.Add(1) % pages }
	add := func(name string, v variant, request []byte, cached string, next func() uint64) {
		v.name = name
		if v.addr == "" || !strings.Contains(name, b.o.Only) {
			return
		}
		l := load{addr: v.addr, request: request, cached: cached}
		if next != nil {
			l.numbers = func(int) func() uint64 { return next }
		}
		b.cases = append(b.cases, cacheCase{v, l})
	}
	add(BareResource, bare, resource, "", nil)
	add(HitResource, hits, resource, "HIT", nil)
	add(HitSpool, spool, resource, "HIT", nil)
	add(HitShared, shared, numbered, "HIT", inTurn)
	add(BareList, bare, list, "", nil)
	add(HitList, hits, list, "HIT", nil)
	add(BarePlain, bare, get, "", nil)
	add(HitPlain, hits, get, "HIT", nil)
	add(MissOff, off, numbered, "", unique)
	add(MissOn, misses, numbered, "MISS", unique)
}

// gateway starts a gateway before the catalogue.
func (b *cacheBed) gateway(ctx context.Context, sections map[string]any) (variant, *rig.Gateway, error) {
	dir := filepath.Join(b.dir, fmt.Sprint(len(b.stops)))
	g, err := startGateway(ctx, b.o, b.p, b.addr, dir, settings{
		policy: policy, server: map[string]any{"passthrough": []string{cataloguePath}}, sections: sections,
	})
	if err != nil {
		return variant{}, nil, err
	}
	stop := g.Stop
	if sections["store"] != nil {
		stop = g.Kill // it would try to store the trail
	}
	b.stops = append(b.stops, stop)
	return variant{addr: g.Proxy, process: g.Process}, g, nil
}

// shared starts a Redis server, and a gateway with little memory that shares it.
func (b *cacheBed) shared(ctx context.Context) (variant, error) {
	addr, err := rig.FreeAddr()
	if err != nil {
		return variant{}, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return variant{}, fmt.Errorf("start redis: %w", err)
	}
	argv := append(slices.Clone(b.o.Redis), "--bind", host, "--port", port, "--dir", b.dir, "--save", "")
	redis, err := rig.Start("redis", argv, b.o.Log)
	if err != nil {
		return variant{}, err
	}
	b.stops = append(b.stops, redis.Stop)
	if err := redis.Await(ctx, rig.Listening(addr)); err != nil {
		return variant{}, err
	}
	// With the usual timeout a machine that is all load would turn some hits into misses.
	v, g, err := b.gateway(ctx, map[string]any{
		"cache": map[string]any{"enabled": true, "max_bytes": "1MiB", "lookup_timeout": "5s"},
		"redis": map[string]any{"url": "redis://" + addr},
	})
	b.redis = g
	return v, err
}

// measureAll fills the caches, runs the rounds as measureCells does, and then the zipf workload.
func (b *cacheBed) measureAll(ctx context.Context) (report CacheReport, err error) {
	for _, c := range b.cases {
		if c.cached != "HIT" {
			continue
		}
		if err := c.fill(ctx); err != nil {
			return CacheReport{}, fmt.Errorf("fill %s: %w", c.name, err)
		}
	}
	variants := make([]variant, len(b.cases))
	for i, c := range b.cases {
		variants[i] = c.variant
	}
	report.Cells = newCells(b.o.Connections, variants)
	order := make([]int, len(report.Cells))
	for i := range order {
		order[i] = i
	}
	for round := range b.o.Rounds {
		_, _ = fmt.Fprintf(b.o.Log, "round %d of %d\n", round+1, b.o.Rounds)
		for _, i := range order {
			c := b.cases[i%len(b.cases)]
			c.connections, c.duration = report.Cells[i].Connections, b.o.Duration
			m, err := b.measure(ctx, c.variant, c.load)
			if err != nil {
				return CacheReport{}, fmt.Errorf("measure %s: %w", c.name, err)
			}
			report.Cells[i].Rounds = append(report.Cells[i].Rounds, m)
		}
		slices.Reverse(order)
	}
	if report.Shared, err = b.sharedHits(ctx); err != nil {
		return CacheReport{}, err
	}
	if strings.Contains("zipf", b.o.Only) {
		report.Zipf, report.ZipfRequests, err = b.measureZipf(ctx)
	}
	return report, err
}

// fill asks once for each resource of a case whose replies are to be hits.
func (c cacheCase) fill(ctx context.Context) error {
	c.connections, c.cached = 1, ""
	c.requests = 1
	if c.numbers != nil {
		c.requests = pages
	}
	_, err := c.run(ctx)
	return err
}

// sharedHits returns the part of the hits of the gateway with Redis that Redis answered.
func (b *cacheBed) sharedHits(ctx context.Context) (float64, error) {
	if b.redis == nil {
		return 0, nil
	}
	l1, err := b.redis.Counter(ctx, "sark_cachemw_l1_hits_total", nil)
	if err != nil {
		return 0, err
	}
	l2, err := b.redis.Counter(ctx, "sark_cachemw_l2_hits_total", nil)
	if err != nil || l1+l2 == 0 {
		return 0, err
	}
	return l2 / (l1 + l2), nil
}

// measureZipf warms the gateway with little room up, and returns the hit rate and the number of requests after that.
func (b *cacheBed) measureZipf(ctx context.Context) (rate float64, requests int64, err error) {
	if _, err := b.zipfLoad(1).run(ctx); err != nil {
		return 0, 0, fmt.Errorf("warm the zipf workload up: %w", err)
	}
	s, err := b.zipfLoad(2).run(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("measure the zipf workload: %w", err)
	}
	return float64(s.hits) / float64(s.requests), s.requests, nil
}

// zipfLoad is the zipf workload. Every seed asks in another order.
func (b *cacheBed) zipfLoad(seed uint64) load {
	return load{
		addr: b.zipf.addr, request: resourceRequest(b.token, placeholder), connections: b.o.Connections[0],
		duration: b.o.Duration * time.Duration(b.o.Rounds),
		numbers: func(worker int) func() uint64 {
			return rand.NewZipf(rand.New(rand.NewPCG(seed, uint64(worker))), zipfSkew, 1, zipfKeys-1).Uint64 //nolint:gosec // a workload, no secret
		},
	}
}
