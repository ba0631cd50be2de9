package authz

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts decisions and reloads. The counters of the common cases are resolved once, so that counting a decision is
// one atomic addition.
type metrics struct {
	topdown, memo            verdicts
	own                      prometheus.Counter
	hits, misses, unmemoised prometheus.Counter
	evaluation               prometheus.Histogram
	reloads                  *prometheus.CounterVec
	reloadHealthy            prometheus.Gauge
}

// verdicts are the counters of one tier.
type verdicts struct{ allowed, denied prometheus.Counter }

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sark_authz_decisions_total",
		Help: `Decisions by outcome and by the tier that found them; tier "none" are denials that the engine made by itself.`,
	}, []string{"decision", "tier"})
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sark_authz_memo_lookups_total",
		Help: "Questions by whether the decision was remembered (hit), was not (miss), or could not be (uncacheable).",
	}, []string{"result"})
	tier := func(name string) verdicts {
		return verdicts{decisions.WithLabelValues("allow", name), decisions.WithLabelValues("deny", name)}
	}
	m := &metrics{
		topdown:    tier(tierTopdown),
		memo:       tier(tierMemo),
		own:        decisions.WithLabelValues("deny", "none"),
		hits:       lookups.WithLabelValues("hit"),
		misses:     lookups.WithLabelValues("miss"),
		unmemoised: lookups.WithLabelValues("uncacheable"),
		evaluation: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sark_authz_evaluation_duration_seconds",
			Help:    "Time to evaluate the policy for one decision.",
			Buckets: prometheus.ExponentialBuckets(10e-6, 2.5, 14),
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sark_authz_reloads_total",
			Help: "Policies that came into force (success) or could not (error).",
		}, []string{"result"}),
		reloadHealthy: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sark_authz_last_reload_success",
			Help: "1 while the latest policy is the one in force, 0 when an older one or none is.",
		}),
	}
	return m, register(r, decisions, lookups, m.evaluation, m.reloads, m.reloadHealthy)
}

func register(r prometheus.Registerer, all ...prometheus.Collector) error {
	if r == nil {
		return nil
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// lookedUp counts a question by whether it has a key and whether it was found.
func (m *metrics) lookedUp(keyed, found bool) {
	switch {
	case !keyed:
		m.unmemoised.Inc()
	case found:
		m.hits.Inc()
	default:
		m.misses.Inc()
	}
}

func (m *metrics) decided(d *Decision) {
	switch d.Tier {
	case tierMemo:
		m.memo.count(d.Allow)
	case tierTopdown:
		m.topdown.count(d.Allow)
	default:
		m.own.Inc()
	}
}

func (v *verdicts) count(allow bool) {
	if allow {
		v.allowed.Inc()
		return
	}
	v.denied.Inc()
}

func (m *metrics) reloaded(err error) {
	if err != nil {
		m.reloads.WithLabelValues("error").Inc()
		m.reloadHealthy.Set(0)
		return
	}
	m.reloads.WithLabelValues("success").Inc()
	m.reloadHealthy.Set(1)
}
