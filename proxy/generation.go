package proxy

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sark/cachemw"
)

// shared is what all generations of a handler have in common.
type shared struct {
	metrics  *metrics
	inflight atomic.Int64
	gate     gate
	pool     sync.Pool
	flights  cachemw.Flights
	habits   habits
	self     [16]byte // random: tells this process from others that share its cache
	streams  tally    // that would never end by themselves
	held     tally    // bytes (see charge)
	arrivals arrivals
	phase    atomic.Int32 // of the way down: serving, leaving, draining, abandoning
	live     atomic.Pointer[Handler]
	swap     sync.Mutex // one Reload at a time, and none while Close runs
}

func newShared(r prometheus.Registerer) (*shared, error) {
	s := &shared{}
	_, _ = rand.Read(s.self[:]) // it never returns an error
	s.pool.New = func() any { return new(Exchange) }
	var err error
	if s.metrics, err = newMetrics(r, s); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if err := r.Register(upstreamCollector{s}); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return s, nil
}

// newGeneration makes a handler that is not in force. Servers that are those of the generation before keep their
// connections, breaker and health.
func newGeneration(o Options, before *routes) (*Handler, error) {
	o.defaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	h := &Handler{o: o, hosts: newHostPolicy(o.AllowedHosts, slices.Concat(o.AllowedOrigins, o.CORSOrigins)), cors: newCORS(o.CORSOrigins)}
	var err error
	if h.eras, err = newEras(o.Eras); err != nil {
		return nil, err
	}
	if h.trust, err = newTrustedProxies(o.TrustedProxies); err != nil {
		return nil, err
	}
	if h.routes, err = newRoutes(&o, before); err != nil {
		return nil, err
	}
	return h, nil
}

// Reload puts other options in force, all at once: a request that begins after it is served by these alone, and one that
// has begun ends as it began. Options.Registerer is that of New. Connections to servers that are no more, or are reached
// in another way, end with their last exchange. On an error nothing changes.
func (h *Handler) Reload(o Options) error {
	h.swap.Lock()
	defer h.swap.Unlock()
	old := h.live.Load()
	next, err := newGeneration(o, &old.routes)
	if err != nil {
		return err
	}
	next.shared = h.shared
	h.live.Store(next)
	old.routes.retire(&next.routes)
	return nil
}

// Options returns the options in force. They are shared: readers must not change what they hold.
func (h *Handler) Options() Options { return h.live.Load().o }

// Close releases the connections to upstreams: the idle ones now, those in use when their exchange ends.
func (h *Handler) Close() {
	h.swap.Lock()
	defer h.swap.Unlock()
	h.live.Load().routes.retire(&routes{})
}
