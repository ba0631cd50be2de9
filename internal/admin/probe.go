package admin

import (
	"context"
	"net/http"
)

// Probe is the answer to a health probe: one status word and the HTTP status that says the same.
type Probe struct {
	// Code is 200 or 503.
	Code int
	// Status is the word.
	Status string
}

// ProbeNames lists the unauthenticated probes, each served at /health/<name>; "" is /health/ itself.
func ProbeNames() []string { return []string{"", "live", "ready", "startup"} }

// Probe answers one of ProbeNames; a name that is none of them is answered as "".
//
// "live" is 200 whenever the process can answer at all, so a failing dependency never gets it restarted. "startup" is 503
// until start-up has ended. "ready" and "" are 503 while the process should get no traffic.
func (h *Health) Probe(ctx context.Context, name string) Probe {
	switch name {
	case "live":
		return Probe{http.StatusOK, "alive"}
	case "startup":
		return answer(h.Started(), "started", string(StatusStarting))
	case "ready":
		return h.readiness(ctx)
	}
	status := h.Status(ctx)
	return answer(status == StatusHealthy || status == StatusDegraded, string(status), string(status))
}

// readiness says "not_ready" for every cause but shutdown, which load balancers may treat differently.
func (h *Health) readiness(ctx context.Context) Probe {
	if h.draining.Load() {
		return answer(false, "", string(StatusDraining))
	}
	return answer(h.Ready(ctx), "ready", "not_ready")
}

func answer(ok bool, yes, no string) Probe {
	if ok {
		return Probe{http.StatusOK, yes}
	}
	return Probe{http.StatusServiceUnavailable, no}
}
