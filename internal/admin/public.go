package admin

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// publicRoutes is what the admin listener serves.
func publicRoutes(h *Health, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	for _, name := range ProbeNames() {
		mux.Handle("GET "+probePattern(name), probeHandler(h, name))
	}
	mux.Handle("GET /health", probeHandler(h, ""))
	return mux
}

// probePattern ends the path of /health/ itself with {$}, so that it does not answer for unknown probes.
func probePattern(name string) string {
	if name == "" {
		return "/health/{$}"
	}
	return "/health/" + name
}

func probeHandler(h *Health, name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probe := h.Probe(r.Context(), name)
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, probe.Code, map[string]string{"status": probe.Status})
	})
}

// writeJSON sends a small document. Encoding strings cannot fail, and a client that left needs no answer.
func writeJSON(w http.ResponseWriter, code int, document map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(document)
}
