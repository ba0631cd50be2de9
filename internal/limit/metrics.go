package limit

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"sark/internal/redisguard"
)

// metrics are what a Counter counts.
type metrics struct {
	refused *prometheus.CounterVec
	shared  prometheus.Counter
	local   prometheus.Counter
	errors  prometheus.Counter
}

// newMetrics makes the metrics, and registers them unless there is nobody to register them with.
func newMetrics(r prometheus.Registerer, c *Counter) (*metrics, error) {
	counted := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sark_limit_calls_total", Help: "Calls counted against a limit, by where: shared in Redis, or local in this process.",
	}, []string{"counted"})
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sark_limit_refused_total", Help: "Calls over a limit, by the limit that made them wait longest.",
		}, []string{"limit"}),
		shared: counted.WithLabelValues("shared"), local: counted.WithLabelValues("local"),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sark_limit_redis_errors_total", Help: "Questions to Redis that ended in an error, those left out while the breaker was open apart.",
		}),
	}
	if r == nil {
		return m, nil
	}
	all := []prometheus.Collector{counted, m.refused, m.errors, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "sark_limit_forgotten_total", Help: "Busy buckets that were forgotten in this process to make room for others.",
	}, func() float64 { return float64(c.table.Forgotten()) })}
	if c.shared != nil {
		all = append(all, c.shared.breaker.Metrics("sark_limit")...)
	}
	for _, one := range all {
		if err := r.Register(one); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// failed counts an error of Redis.
func (m *metrics) failed(err error) {
	if !errors.Is(err, redisguard.ErrOpen) {
		m.errors.Inc()
	}
}
