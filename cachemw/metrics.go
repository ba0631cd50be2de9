package cachemw

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"sark/internal/redisguard"
)

// register registers collectors, unless there is nobody to register them with.
func register(r prometheus.Registerer, collectors ...prometheus.Collector) error {
	if r == nil {
		return nil
	}
	for _, c := range collectors {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// counterFunc returns a counter that reads its value when it is asked.
func counterFunc(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value)
}

// gaugeFunc returns a gauge that reads its value when it is asked.
func gaugeFunc(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// lookups describes the counter of requests.
var lookups = prometheus.NewDesc("sark_cachemw_lookups_total",
	"Requests for which caching was considered, by class, server and result; the reason of a bypass is its result.",
	[]string{"class", "server", "result"}, nil)

// lookupsCollector reads the tally of a Cache.
type lookupsCollector struct{ c *Cache }

// Describe implements prometheus.Collector.
func (l lookupsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- lookups }

// Collect implements prometheus.Collector.
func (l lookupsCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range l.c.Classes() {
		send := func(result string, n uint64) {
			ch <- prometheus.MustNewConstMetric(lookups, prometheus.CounterValue, float64(n), s.Class, s.Server, result)
		}
		send(Hit.String(), s.Hits)
		send(Miss.String(), s.Misses)
		send(Stale.String(), s.Stale)
		for reason, n := range s.Bypasses {
			send(reason, n)
		}
	}
}

// evictions describes the counter of evicted entries.
var evictions = prometheus.NewDesc("sark_cachemw_memory_evictions_total",
	"Entries that had to go to make room in this process, by class and server.", []string{"class", "server"}, nil)

// evictionsCollector reads the evictions of a Memory.
type evictionsCollector struct{ m *Memory }

// Describe implements prometheus.Collector.
func (e evictionsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- evictions }

// Collect implements prometheus.Collector.
func (e evictionsCollector) Collect(ch chan<- prometheus.Metric) {
	for of, n := range e.m.evictedBy() {
		ch <- prometheus.MustNewConstMetric(evictions, prometheus.CounterValue, float64(n), of.class, of.server)
	}
}

// registerCache registers what a Cache counts.
func registerCache(r prometheus.Registerer, c *Cache) error {
	count := func(n *counter) func() float64 { return func() float64 { return float64(n.Load()) } }
	return register(r, lookupsCollector{c},
		counterFunc("sark_cachemw_stores_total", "Entries that were stored.", count(&c.stores)),
		counterFunc("sark_cachemw_rejects_total", "Entries that were not storable.", count(&c.rejects)),
		counterFunc("sark_cachemw_invalidations_total", "Invalidations of one server or of all.", count(&c.invalidations)),
		counterFunc("sark_cachemw_errors_total", "Times that the cache was in trouble, which was a miss.", count(&c.errors)),
		gaugeFunc("sark_cachemw_invalidations_owed", "1 while an invalidation is tried again, because a layer cannot be reached.",
			func() float64 { return oneIf(c.debts.any.Load()) }),
	)
}

// registerMemory registers what a Memory counts.
func registerMemory(r prometheus.Registerer, m *Memory) error {
	return register(r,
		gaugeFunc("sark_cachemw_memory_bytes", "Weight of the entries kept in this process.", func() float64 {
			return float64(m.Usage().Bytes)
		}),
		gaugeFunc("sark_cachemw_memory_entries", "Entries kept in this process, about.", func() float64 {
			return float64(m.Usage().Entries)
		}),
		evictionsCollector{m},
	)
}

// registerTiered registers what a Tiered counts.
func registerTiered(r prometheus.Registerer, t *Tiered) error {
	return register(r,
		counterFunc("sark_cachemw_l1_hits_total", "Entries found in this process.", func() float64 { return float64(t.l1Hits.Load()) }),
		counterFunc("sark_cachemw_l2_hits_total", "Entries found in the shared cache.", func() float64 { return float64(t.l2Hits.Load()) }),
		counterFunc("sark_cachemw_l1_flushes_total", "Times that the entries in this process were dropped because an invalidation may have been missed.",
			func() float64 { return float64(t.flushes.Load()) }),
		gaugeFunc("sark_cachemw_bus_up", "1 while invalidations of other gateways are heard.", func() float64 {
			return oneIf(t.listening.Load())
		}),
	)
}

// redisMetrics are what a Redis counts.
type redisMetrics struct {
	errors     *prometheus.CounterVec
	rejections *prometheus.CounterVec
	bytes      prometheus.Counter
}

// newRedisMetrics makes and registers the metrics.
func newRedisMetrics(r prometheus.Registerer, b *redisguard.Breaker) (*redisMetrics, error) {
	m := &redisMetrics{
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sark_cachemw_backend_errors_total",
			Help: "Operations of the shared cache that ended in an error, those left out while the breaker was open apart.",
		}, []string{"operation"}),
		rejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sark_cachemw_values_rejected_total",
			Help: "Values of the shared cache that were not sound and so not served.",
		}, []string{"reason"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sark_cachemw_sent_bytes_total", Help: "Bytes of values sent to the shared cache.",
		}),
	}
	return m, register(r, m.errors, m.rejections, m.bytes,
		gaugeFunc("sark_cachemw_breaker_open", "1 while the shared cache is left alone because it is slow or gone.", func() float64 {
			return oneIf(b.IsOpen())
		}),
		counterFunc("sark_cachemw_breaker_trips_total", "Times that the shared cache began to be left alone.", func() float64 {
			return float64(b.Trips())
		}),
	)
}

// failed counts an error of an operation.
func (m *redisMetrics) failed(operation string, err error) {
	if !errors.Is(err, redisguard.ErrOpen) {
		m.errors.WithLabelValues(operation).Inc()
	}
}

// reject counts a value that was refused.
func (m *redisMetrics) reject(why rejection) { m.rejections.WithLabelValues(string(why)).Inc() }

// saved counts a value that was stored.
func (m *redisMetrics) saved(size int) { m.bytes.Add(float64(size)) }

// oneIf returns 1 for true.
func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
