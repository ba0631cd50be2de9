package store

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// DefaultSlowQuery is the duration from which a query is logged, unless it is configured.
const DefaultSlowQuery = 100 * time.Millisecond

// QueryTimer measures the queries of a database, whichever it is, and logs the slow ones.
type QueryTimer struct {
	seconds *prometheus.HistogramVec
	slow    time.Duration
	log     *zap.Logger
}

// NewQueryTimer registers sark_store_query_duration_seconds{query}, unless metrics is nil. slow is the duration from which a
// query is logged: 0 is DefaultSlowQuery, and below 0 none is.
func NewQueryTimer(slow time.Duration, log *zap.Logger, metrics prometheus.Registerer) (*QueryTimer, error) {
	if slow == 0 {
		slow = DefaultSlowQuery
	}
	t := &QueryTimer{slow: slow, log: log}
	t.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "sark_store_query_duration_seconds",
		Help:    "Time that a query of the store took, by query.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
	}, []string{"query"})
	if metrics == nil {
		return t, nil
	}
	if err := metrics.Register(t.seconds); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return t, nil
}

// Observe is deferred with the query's name and its beginning.
func (t *QueryTimer) Observe(query string, began time.Time) {
	took := time.Since(began)
	t.seconds.WithLabelValues(query).Observe(took.Seconds())
	if t.slow > 0 && took >= t.slow {
		t.log.Warn("slow query", zap.String("query", query), zap.Duration("took", took))
	}
}
