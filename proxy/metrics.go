package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"sark/internal/audit"
)

// metrics are all that the data plane counts. Labels are bounded: no user, tool or path is one.
type metrics struct {
	requests map[audit.Outcome]prometheus.Counter
	duration prometheus.Histogram
	upstream prometheus.Histogram
	streams  prometheus.Gauge
	hidden   prometheus.Counter
	dropped  prometheus.Counter
	panics   prometheus.Counter
	overheld prometheus.Counter
	crowded  prometheus.Counter

	handshakes    prometheus.Counter
	announcements prometheus.Counter
}

// latencyBuckets reach from 50 µs, a governed hit, to a slow tool.
var latencyBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}

func newMetrics(r prometheus.Registerer, s *shared) (*metrics, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sark_proxy_requests_total", Help: "Requests by how they ended."}, []string{"outcome"})
	m := &metrics{
		requests: map[audit.Outcome]prometheus.Counter{},
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sark_proxy_request_duration_seconds", Help: "Time from accept to the last byte.", Buckets: latencyBuckets}),
		upstream: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sark_proxy_upstream_duration_seconds", Help: "Time from the first byte sent upstream to the head of the reply.", Buckets: latencyBuckets}),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "sark_proxy_streams_open", Help: "Replies being streamed."}),
		hidden:   prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_proxy_list_items_hidden_total", Help: "List items removed because the caller may not see them."}),
		dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_proxy_frames_dropped_total", Help: "Stream frames dropped because they could not be understood."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_proxy_panics_total", Help: "Panics kept inside their request."}),
		overheld: prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_proxy_held_refused_total", Help: "Requests and replies refused because too many bytes were held for their caller."}),
		crowded:  prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_proxy_arriving_refused_total", Help: "Requests refused because too many bytes of unknown callers' requests were arriving."}),

		handshakes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_proxy_tls_handshake_failures_total", Help: "TLS handshakes of clients that came to nothing."}),
		announcements: prometheus.NewCounter(prometheus.CounterOpts{Name: "sark_proxy_proxy_header_failures_total", Help: "Connections of trusted proxies that began with no valid PROXY header."}),
	}
	for _, o := range []audit.Outcome{audit.OutcomeAllowed, audit.OutcomeDenied, audit.OutcomeError, audit.OutcomeClientGone, audit.OutcomeUpstreamFailed} {
		m.requests[o] = requests.WithLabelValues(string(o))
	}
	inflight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_proxy_requests_in_progress", Help: "Requests in progress, streams included."},
		func() float64 { return float64(s.inflight.Load()) })
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_proxy_requests_waiting", Help: "Requests that wait until fewer are in progress."},
		func() float64 { return float64(s.gate.waiting.Load()) })
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_proxy_held_bytes", Help: "Bytes of requests and replies held in memory, without the first 64 KiB of each."},
		func() float64 { return float64(s.held.total()) })
	arriving := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_proxy_arriving_bytes", Help: "Bytes of memory for requests of unknown callers that are arriving, without the first 64 KiB of each."},
		func() float64 { return float64(s.arrivals.unknown.total()) })
	for _, c := range []prometheus.Collector{requests, m.duration, m.upstream, m.streams, m.hidden, m.dropped, m.panics, m.overheld, m.crowded, m.handshakes, m.announcements, inflight, waiting, held, arriving} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(x *Exchange, outcome audit.Outcome) {
	m.requests[outcome].Inc()
	m.duration.Observe(x.h.o.Now().Sub(x.Start).Seconds())
	if x.upstreamTime > 0 {
		m.upstream.Observe(x.upstreamTime.Seconds())
	}
	m.hidden.Add(float64(x.out.hidden))
	m.dropped.Add(float64(x.out.dropped))
}

// upstreamCollector tells how the servers in force are. Its label is bounded by the configuration and the registry.
type upstreamCollector struct{ s *shared }

var (
	upDesc      = prometheus.NewDesc("sark_proxy_upstream_up", "Whether a server is up: 0 while probes fail or its breaker is open.", []string{"server"}, nil)
	breakerDesc = prometheus.NewDesc("sark_proxy_breaker_state", "Breaker of a server: 0 closed, 1 half open, 2 open.", []string{"server"}, nil)
	connsDesc   = prometheus.NewDesc("sark_proxy_upstream_connections", "Connections to a server by state.", []string{"server", "state"}, nil)
)

// Describe implements prometheus.Collector.
func (upstreamCollector) Describe(out chan<- *prometheus.Desc) {
	out <- upDesc
	out <- breakerDesc
	out <- connsDesc
}

// Collect implements prometheus.Collector.
func (c upstreamCollector) Collect(out chan<- prometheus.Metric) {
	h := c.s.live.Load()
	if h == nil {
		return
	}
	now := h.o.Now()
	for _, s := range h.routes.servers {
		if s.upstream == nil {
			continue
		}
		r, up := s.report(now), 0.0
		if r.Up {
			up = 1
		}
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.name}, labels...)...)
		}
		gauge(upDesc, up)
		gauge(breakerDesc, s.upstream.breaker.state(now))
		gauge(connsDesc, float64(r.Used), "used")
		gauge(connsDesc, float64(max(r.Open-r.Used, 0)), "idle")
	}
}
