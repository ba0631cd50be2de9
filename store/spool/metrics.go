package spool

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counters count what happened since Open.
type counters struct {
	syncs, syncMicros      atomic.Int64
	refused, shed, lost    atomic.Int64
	gaps, orphans, rescues atomic.Int64
}

// Stats is the state of a spool.
type Stats struct {
	Bytes, MaxBytes int64 // used, reservations included; the bound
	Segments        int
	Last, Synced    int64 // the last event recorded; the last that is on the disk
	Open            int   // exchanges with an intent or open event and no outcome yet
	Refused         int64 // reservations that were refused
	Shed            int64 // events of severity low that a full spool dropped
	Lost            int64 // events that were recorded after Close
	Gaps            int64 // events that say what is missing
	Orphans         int64 // exchanges whose outcome became unknown at Open
	Rescues         int64 // times that a segment failed
	Syncs           int64
	Err             error // why the disk cannot be written
}

// Stats returns the state.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Bytes: s.used.Load(), MaxBytes: s.o.MaxBytes, Segments: len(s.segments), Last: s.chain.Seq(), Synced: s.syncedSeq,
		Open: s.open, Refused: s.stats.refused.Load(), Shed: s.stats.shed.Load(), Lost: s.stats.lost.Load(),
		Gaps: s.stats.gaps.Load(), Orphans: s.stats.orphans.Load(), Rescues: s.stats.rescues.Load(), Syncs: s.stats.syncs.Load(),
		Err: s.failure,
	}
}

// registerMetrics exposes the state; the hot path only counts.
func (s *Spool) registerMetrics() error {
	if s.o.Metrics == nil {
		return nil
	}
	gauge := func(name, help string, read func(Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_store_spool_" + name, Help: help},
			func() float64 { return read(s.Stats()) })
	}
	counter := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sark_store_spool_" + name, Help: help}, read)
	}
	value := func(v *atomic.Int64) func() float64 { return func() float64 { return float64(v.Load()) } }
	var errs []error
	for _, c := range []prometheus.Collector{
		gauge("bytes", "Bytes in use, reservations included.", func(st Stats) float64 { return float64(st.Bytes) }),
		gauge("max_bytes", "Bytes at which the spool is full.", func(st Stats) float64 { return float64(st.MaxBytes) }),
		gauge("segments", "Segment files.", func(st Stats) float64 { return float64(st.Segments) }),
		gauge("open_exchanges", "Exchanges without an outcome yet.", func(st Stats) float64 { return float64(st.Open) }),
		gauge("failed", "1 while the disk cannot be written.", func(st Stats) float64 { return truth(st.Err != nil) }),
		counter("events_total", "Events recorded, in this writer's whole life.", func() float64 { return float64(s.Last()) }),
		counter("refused_total", "Reservations refused.", value(&s.stats.refused)),
		counter("shed_total", "Events of severity low dropped by a full spool.", value(&s.stats.shed)),
		counter("lost_total", "Events recorded after the spool was closed.", value(&s.stats.lost)),
		counter("gaps_total", "Events that say what is missing from the trail.", value(&s.stats.gaps)),
		counter("orphans_total", "Exchanges whose outcome became unknown.", value(&s.stats.orphans)),
		counter("rescues_total", "Segments that failed.", value(&s.stats.rescues)),
		counter("syncs_total", "Syncs to the disk.", value(&s.stats.syncs)),
		counter("sync_seconds_total", "Time spent in syncs.", func() float64 { return float64(s.stats.syncMicros.Load()) / 1e6 }),
	} {
		errs = append(errs, s.o.Metrics.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
