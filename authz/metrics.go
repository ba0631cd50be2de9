package authz

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts decisions and reloads. The counters of the common cases are resolved once, so that counting a decision is
// one atomic addition.
type metrics struct {
	allowed, denied, own prometheus.Counter
	evaluation           prometheus.Histogram
	reloads              *prometheus.CounterVec
	reloadHealthy        prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sark_authz_decisions_total",
		Help: `Decisions by outcome and by the tier that found them; tier "none" are denials that the engine made by itself.`,
	}, []string{"decision", "tier"})
	m := &metrics{
		allowed: decisions.WithLabelValues("allow", tierTopdown),
		denied:  decisions.WithLabelValues("deny", tierTopdown),
		own:     decisions.WithLabelValues("deny", "none"),
		evaluation: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sark_authz_evaluation_seconds",
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
	return m, register(r, decisions, m.evaluation, m.reloads, m.reloadHealthy)
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

func (m *metrics) decided(d *Decision) {
	switch {
	case d.Tier == "":
		m.own.Inc()
	case d.Allow:
		m.allowed.Inc()
	default:
		m.denied.Inc()
	}
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
