package spool

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counters count what happened since Open.
type counters struct {
	syncs, syncMicros       atomic.Int64
	full, old, disk, broken atomic.Int64 // reservations that were refused, by reason
	shed, dropped, lost     atomic.Int64
	suppressed              atomic.Int64
	inputsDropped           atomic.Int64
	gaps, orphans, rescues  atomic.Int64
}

// refuse counts a reservation that was refused.
func (c *counters) refuse(why error) {
	switch {
	case errors.Is(why, ErrOld):
		c.old.Add(1)
	case errors.Is(why, ErrDisk):
		c.disk.Add(1)
	case errors.Is(why, ErrFull):
		c.full.Add(1)
	default:
		c.broken.Add(1)
	}
}

func (c *counters) refused() int64 {
	return c.full.Load() + c.old.Load() + c.disk.Load() + c.broken.Load()
}

// Stats is the state of a spool.
type Stats struct {
	Bytes, MaxBytes int64 // used, reservations included; the bound
	Segments        int
	Last, Synced    int64 // the last event recorded; the last that is on the disk
	Open            int   // exchanges with an intent or open event and no outcome yet
	Refused         int64 // reservations that were refused
	Shed            int64 // events of severity low that a full spool dropped
	Suppressed      int64 // refusals that left no event of their own, see Refused
	Dropped         int64 // refusals for which there was no room at all
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
		Open: s.open, Refused: s.stats.refused(), Shed: s.stats.shed.Load(),
		Suppressed: s.stats.suppressed.Load(), Dropped: s.stats.dropped.Load(), Lost: s.stats.lost.Load(),
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
	refused := func(reason string, v *atomic.Int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "sark_store_spool_refused_total", Help: "Reservations refused, by what is full.",
			ConstLabels: prometheus.Labels{"reason": reason},
		}, value(v))
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		gauge("bytes", "Bytes in use, reservations included.", func(st Stats) float64 { return float64(st.Bytes) }),
		gauge("max_bytes", "Bytes at which the spool is full.", func(st Stats) float64 { return float64(st.MaxBytes) }),
		gauge("segments", "Segment files.", func(st Stats) float64 { return float64(st.Segments) }),
		gauge("open_exchanges", "Exchanges without an outcome yet.", func(st Stats) float64 { return float64(st.Open) }),
		gauge("failed", "1 while the disk cannot be written.", func(st Stats) float64 { return truth(st.Err != nil) }),
		counter("events_total", "Events recorded, in this writer's whole life.", func() float64 { return float64(s.Last()) }),
		gauge("age_seconds", "For how long the oldest event that the sink does not have has been waiting.",
			func(Stats) float64 { return s.Age().Seconds() }),
		refused("bytes", &s.stats.full), refused("age", &s.stats.old), refused("disk", &s.stats.disk), refused("failed", &s.stats.broken),
		counter("inputs_dropped_total", "Decision inputs for which there was no room.", value(&s.stats.inputsDropped)),
		counter("suppressed_total", "Refusals that left no event of their own, since there were too many.", value(&s.stats.suppressed)),
		counter("dropped_total", "Refusals for which there was no room; a gap event says how many.", value(&s.stats.dropped)),
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
