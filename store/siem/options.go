package siem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Defaults of Options.
const (
	DefaultBatch    = 500
	DefaultInterval = time.Second
	DefaultTimeout  = 10 * time.Second
)

// Options say what is sent where.
type Options struct {
	// Name is the lane's name in files, metrics and logs. Required.
	Name string
	// Sink is the receiver; required. The lane closes it.
	Sink Sink
	// Format is the form of events; empty is FormatJSON.
	Format Format
	// Filter says which events are sent.
	Filter Filter
	// Dir is the folder of the offset and, in a folder below it, of events that the receiver refuses. Required.
	Dir string
	// Writer is the spool's; Spool reads it, and Last is the number of its last event. Required.
	Writer uuid.UUID
	Spool  Spool
	Last   func() int64
	// OpenTrail opens the database's trail for what the spool has no more. Required.
	OpenTrail func(context.Context) (Trail, error)
	// FromBeginning sends a new receiver all that the writer has ever recorded, instead of what comes from now on.
	FromBeginning bool
	// Batch is how many events are sent at once, at most 10,000; 0 is DefaultBatch.
	Batch int
	// Interval is how long an event waits for others at most; 0 is DefaultInterval.
	Interval time.Duration
	// Timeout bounds one attempt to send a batch; 0 is DefaultTimeout.
	Timeout time.Duration
	// Log is required.
	Log *zap.Logger
	// Metrics are those of all lanes; nil counts nothing.
	Metrics *Metrics
}

func (o Options) withDefaults() (Options, error) {
	if o.Name == "" || o.Sink == nil || o.Dir == "" || o.Spool == nil || o.Last == nil || o.OpenTrail == nil || o.Log == nil {
		return o, errors.New("options Name, Sink, Dir, Spool, Last, OpenTrail and Log are required")
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Batch < 1 || o.Batch > 10_000 || o.Interval < 0 || o.Timeout < 0 {
		return o, fmt.Errorf("option Batch %d, Interval %v or Timeout %v is out of range", o.Batch, o.Interval, o.Timeout)
	}
	if o.Metrics == nil {
		o.Metrics = newMetrics()
	}
	return o, nil
}

// Metrics count what all lanes do, by sink.
type Metrics struct {
	sent, filtered, failures, rejected, missing *prometheus.CounterVec
	lag                                         *prometheus.GaugeVec
}

// NewMetrics makes the metrics sark_siem_* and registers them.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := newMetrics()
	var errs []error
	for _, c := range []prometheus.Collector{m.sent, m.filtered, m.failures, m.rejected, m.missing, m.lag} {
		errs = append(errs, r.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

func newMetrics() *Metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sark_siem_" + name, Help: help}, []string{"sink"})
	}
	return &Metrics{
		sent:     counter("sent_total", "Events that the receiver has taken."),
		filtered: counter("filtered_total", "Events that the sink's filter has left out."),
		failures: counter("errors_total", "Attempts to send a batch that failed and are made again."),
		rejected: counter("rejected_total", "Events that the receiver refused and that were set aside."),
		missing:  counter("missing_total", "Events that were neither in the spool nor in the database any more."),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sark_siem_lag_events", Help: "Recorded events that the receiver does not have.",
		}, []string{"sink"}),
	}
}
