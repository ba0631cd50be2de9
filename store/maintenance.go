package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// ErrNotOurTurn says that another gateway is at the same work now.
var ErrNotOurTurn = errors.New("another gateway is at it")

// Keeper is a database whose trail can be kept in order. Each call is one transaction, or a bounded number of short ones, and
// belongs to one gateway at a time: to all others it is ErrNotOurTurn. Whoever loses the connection has lost its turn, and
// nothing of the step remains.
type Keeper interface {
	// Prepare makes room for the events of the coming days, and returns for how many more there is some now.
	Prepare(ctx context.Context) (int, error)
	// Expire removes the next events that were stored before the mark's cutoff, and stores the mark with that.
	Expire(ctx context.Context, mark RetentionMark) (Removed, error)
	// DirtyHours lists up to limit hours whose events have changed since they were counted, oldest first.
	DirtyHours(ctx context.Context, limit int) ([]time.Time, error)
	// Recount counts the events of an hour again, from the first to the last.
	Recount(ctx context.Context, hour time.Time) error
}

// Defaults of MaintenanceOptions.
const (
	DefaultMaintenanceInterval = time.Minute
	stepTimeout                = 10 * time.Minute
	hoursAtOnce                = 100
	recountRest                = 20 // times as long as its last count took, an hour is left alone
)

// MaintenanceOptions say what is kept in order, and how.
type MaintenanceOptions struct {
	// Keeper is required.
	Keeper Keeper
	// Key signs retention marks; required when Retention is set.
	Key *DigestKey
	// Retention is how long events are kept; 0 keeps them for ever.
	Retention time.Duration
	// Rule is what Retention follows from, for the marks; required when Retention is set.
	Rule string
	// Removed is told after events were removed, by which mark and how many. It may be nil.
	Removed func(mark RetentionMark, what Removed)
	// Interval is the pause between two rounds; 0 is DefaultMaintenanceInterval.
	Interval time.Duration
	// Log is required.
	Log *zap.Logger
	// Metrics registers the metrics sark_store_maintenance_*; nil registers nothing.
	Metrics prometheus.Registerer
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Maintenance keeps a trail in order: partitions for the coming days, retention, and the counts for dashboards. Every gateway
// runs one; the database gives one of them at a time its turn.
type Maintenance struct {
	o       MaintenanceOptions
	metrics *maintenanceMetrics

	// Owned by whoever calls Round.
	expired time.Time               // the cutoff up to which nothing is left
	rests   map[time.Time]time.Time // until when an hour whose events keep changing is not counted again
}

// NewMaintenance makes a Maintenance; Run sets it to work.
func NewMaintenance(o MaintenanceOptions) (*Maintenance, error) {
	if o.Keeper == nil || o.Log == nil {
		return nil, errors.New("new maintenance: options Keeper and Log are required")
	}
	if o.Retention < 0 || o.Interval < 0 || o.Retention > 0 && (o.Key == nil || o.Rule == "") {
		return nil, errors.New("new maintenance: Retention needs Key and Rule, and neither it nor Interval is negative")
	}
	if o.Interval == 0 {
		o.Interval = DefaultMaintenanceInterval
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Maintenance{o: o, metrics: newMaintenanceMetrics(), rests: make(map[time.Time]time.Time)}
	return m, m.metrics.register(o.Metrics)
}

// Run works until ctx ends, a round at once and then one after each interval. A step that fails is logged, counted and tried
// again in the next round.
func (m *Maintenance) Run(ctx context.Context) {
	tick := time.NewTicker(m.o.Interval)
	defer tick.Stop()
	for {
		m.Round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round does once what there is to do. It is for one goroutine at a time.
func (m *Maintenance) Round(ctx context.Context) {
	for _, task := range []struct {
		name string
		run  func(context.Context) error
	}{{"partitions", m.prepare}, {"retention", m.expire}, {"rollups", m.recount}} {
		err := guarded(ctx, task.run)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrNotOurTurn):
			m.metrics.runs.WithLabelValues(task.name, "other").Inc()
		case err != nil:
			m.metrics.runs.WithLabelValues(task.name, "failed").Inc()
			m.o.Log.Error("the trail cannot be kept in order; it is tried again", zap.String("task", task.name), zap.Error(err))
		default:
			m.metrics.runs.WithLabelValues(task.name, "done").Inc()
			m.metrics.success.WithLabelValues(task.name).Set(float64(m.o.Now().Unix()))
		}
	}
}

// guarded keeps a panic of a task from ending the process.
func guarded(ctx context.Context, run func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return run(ctx)
}

func (m *Maintenance) prepare(ctx context.Context) error {
	made, err := m.o.Keeper.Prepare(ctx)
	if made > 0 {
		m.o.Log.Info("partitions of the trail were made", zap.Int("days", made))
	}
	return err
}

// expire removes what is older than the retention, to the hour: so there is at most one mark an hour.
func (m *Maintenance) expire(ctx context.Context) error {
	if m.o.Retention == 0 {
		return nil
	}
	now := m.o.Now()
	cutoff := now.Add(-m.o.Retention).Truncate(time.Hour)
	if !cutoff.After(m.expired) {
		return nil
	}
	mark := NewRetentionMark(m.o.Key, cutoff, m.o.Rule, now)
	var sum Removed
	defer func() { m.tell(mark, sum) }()
	for {
		step, err := m.o.Keeper.Expire(ctx, mark)
		if err != nil {
			return err
		}
		m.metrics.rows.Add(float64(step.Rows))
		m.metrics.chunks.Add(float64(step.Chunks))
		sum.Rows, sum.Chunks = sum.Rows+step.Rows, sum.Chunks+step.Chunks
		if !step.More {
			m.expired = cutoff
			return nil
		}
	}
}

func (m *Maintenance) tell(mark RetentionMark, what Removed) {
	if what.Rows == 0 && what.Chunks == 0 {
		return
	}
	m.o.Log.Info("events were removed for their age", zap.Time("before", mark.Cutoff), zap.String("rule", mark.Rule),
		zap.Int64("events", what.Rows), zap.Int("chunks", what.Chunks))
	if m.o.Removed != nil {
		m.o.Removed(mark, what)
	}
}

// recount counts each hour that has changed, whole. The hour in which events keep arriving takes longer each time: it rests
// for a multiple of that, or counting every minute what a busy gateway records in an hour would cost more than storing it.
func (m *Maintenance) recount(ctx context.Context) error {
	hours, err := m.o.Keeper.DirtyHours(ctx, hoursAtOnce)
	if err != nil {
		return err
	}
	for _, hour := range hours {
		began := m.o.Now()
		if began.Before(m.rests[hour]) {
			continue
		}
		if err := m.o.Keeper.Recount(ctx, hour); err != nil {
			return err
		}
		ended := m.o.Now()
		m.rests[hour] = ended.Add(recountRest * ended.Sub(began))
	}
	now := m.o.Now()
	maps.DeleteFunc(m.rests, func(_, until time.Time) bool { return !now.Before(until) })
	return nil
}
