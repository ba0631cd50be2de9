package postgres

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// PoolStats is the state of a pool at one moment, in connections and in the seed's words.
type PoolStats struct {
	Name       string `json:"name"`        // "api", or "audit" for that of the shipper
	Size       int    `json:"size"`        // kept open
	CheckedOut int    `json:"checked_out"` // in use
	Overflow   int    `json:"overflow"`    // open beyond size
	CheckedIn  int    `json:"checked_in"`  // open and idle
	Exhausted  int64  `json:"exhausted"`   // callers who were turned away so far, see ErrPoolExhausted
}

// Stats returns the state of the pools: the API's, then the shipper's.
func (d *DB) Stats() []PoolStats { return []PoolStats{d.api.stats(), d.audit.stats()} }

func (p *pool) stats() PoolStats {
	s := p.Stat()
	return PoolStats{
		Name: p.name, Size: p.size, CheckedOut: int(s.AcquiredConns()), Overflow: max(0, int(s.TotalConns())-p.size),
		CheckedIn: int(s.IdleConns()), Exhausted: p.exhausted.Load(),
	}
}

func (d *DB) registerMetrics(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, p := range []*pool{d.api, d.audit} {
		label := prometheus.Labels{"pool": p.name}
		gauge := func(name, help string, read func(PoolStats) int) prometheus.Collector {
			return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_store_pool_" + name, Help: help, ConstLabels: label},
				func() float64 { return float64(read(p.stats())) })
		}
		for _, c := range []prometheus.Collector{
			gauge("size_connections", "Connections that are kept open.", func(s PoolStats) int { return s.Size }),
			gauge("checked_out_connections", "Connections in use.", func(s PoolStats) int { return s.CheckedOut }),
			gauge("overflow_connections", "Open connections beyond the kept ones.", func(s PoolStats) int { return s.Overflow }),
			gauge("checked_in_connections", "Open connections that are idle.", func(s PoolStats) int { return s.CheckedIn }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "sark_store_pool_exhausted_total", Help: "Callers who got no connection in time.", ConstLabels: label,
			}, func() float64 { return float64(p.exhausted.Load()) }),
		} {
			errs = append(errs, r.Register(c))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}
