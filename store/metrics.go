package store

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

func (s *Shipper) registerMetrics() error {
	if s.o.Metrics == nil {
		return nil
	}
	gauge := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_store_shipper_" + name, Help: help}, read)
	}
	counter := func(name, help string, v *atomic.Int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sark_store_shipper_" + name, Help: help},
			func() float64 { return float64(v.Load()) })
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		gauge("waiting_events", "Recorded events that the sink does not have.", func() float64 { return float64(s.Waiting()) }),
		gauge("lag_seconds", "Time since the last success while events wait.", func() float64 { return s.Lag().Seconds() }),
		counter("events_total", "Events stored in the sink.", &s.shipped),
		counter("failures_total", "Batches that could not be stored and were tried again.", &s.failed),
		counter("inputs_dropped_total", "Decision inputs that the sink could never take.", &s.inputsDropped),
		counter("dead_events_total", "Events that the sink could never take and that were set aside.", &s.dead),
	} {
		errs = append(errs, s.o.Metrics.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}
