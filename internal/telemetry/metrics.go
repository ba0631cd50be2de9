package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Build identifies the running binary.
type Build struct {
	// Version is the release, for example "1.0.0", or "dev".
	Version string
	// Revision is the commit that was built, or empty.
	Revision string
}

// NewRegistry returns a registry that holds the process collector, the Go runtime collector and the constant metric
// sark_build_info{version, revision, go_version} 1. Everything else is registered by the package that measures it.
func NewRegistry(b Build) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(),
		buildInfo(b),
	)
	return registry
}

// buildInfo is a gauge whose value is always 1: its labels carry the information and join to other series.
func buildInfo(b Build) prometheus.Collector {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sark_build_info",
		Help: "The running binary, as labels; the value is always 1.",
		ConstLabels: prometheus.Labels{
			"version": b.Version, "revision": b.Revision, "go_version": runtime.Version(),
		},
	})
	gauge.Set(1)
	return gauge
}
