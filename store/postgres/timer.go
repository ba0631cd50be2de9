package postgres

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// timer measures queries.
type timer struct {
	seconds *prometheus.HistogramVec
	slow    time.Duration
	log     *zap.Logger
}

func newTimer(o Options) (*timer, error) {
	t := &timer{slow: o.SlowQuery, log: o.Log}
	t.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "sark_store_query_duration_seconds",
		Help:    "Time that a query of the store took, by query.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
	}, []string{"query"})
	if o.Metrics == nil {
		return t, nil
	}
	if err := o.Metrics.Register(t.seconds); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return t, nil
}

// observe is deferred with the query's name and its beginning.
func (t *timer) observe(query string, began time.Time) {
	took := time.Since(began)
	t.seconds.WithLabelValues(query).Observe(took.Seconds())
	if t.slow > 0 && took >= t.slow {
		t.log.Warn("slow query", zap.String("query", query), zap.Duration("took", took))
	}
}
