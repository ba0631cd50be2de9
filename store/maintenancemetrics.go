package store

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// maintenanceMetrics are the counters of a Maintenance.
type maintenanceMetrics struct {
	runs    *prometheus.CounterVec
	success *prometheus.GaugeVec
	rows    prometheus.Counter
	chunks  prometheus.Counter
}

func newMaintenanceMetrics() *maintenanceMetrics {
	name := func(n string) string { return "sark_store_maintenance_" + n }
	return &maintenanceMetrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("runs_total"), Help: "Rounds of a task, by result: done, failed, or other, when another gateway was at it.",
		}, []string{"task", "result"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: name("last_success_timestamp_seconds"), Help: "When this gateway has last done a task.",
		}, []string{"task"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{Name: name("removed_events_total"), Help: "Events removed for their age."}),
		chunks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("dropped_chunks_total"), Help: "Chunks or partitions dropped whole for their age.",
		}),
	}
}

func (m *maintenanceMetrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := errors.Join(r.Register(m.runs), r.Register(m.success), r.Register(m.rows), r.Register(m.chunks)); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}
