package api

import (
	"context"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sark/internal/admin"
)

// probe answers the four public health routes with one status word.
func (a *API) probe(ctx context.Context, r *request) error {
	name := strings.TrimPrefix(strings.TrimPrefix(r.call.Route, RouteHealth), ".")
	answer := a.o.Health.Probe(ctx, name)
	return writeJSON(r.out, answer.Code, map[string]string{"status": answer.Status})
}

// dependency is one part of the gateway in detail. Error is a word: the cause is in the log.
type dependency struct {
	Healthy   bool    `json:"healthy"`
	Critical  bool    `json:"critical"`
	LatencyMS float64 `json:"latency_ms"`
	Error     *string `json:"error"`
	Mode      string  `json:"mode,omitempty"` // how it works, where there are several ways
}

// detailed is the body of GET /health/detailed.
type detailed struct {
	Status         admin.Status          `json:"status"`
	Version        string                `json:"version"`
	Environment    string                `json:"environment"`
	Dependencies   map[string]dependency `json:"dependencies"`
	OverallHealthy bool                  `json:"overall_healthy"`
}

// healthDetailed answers GET /health/detailed: 200 whatever the health, since it is for people to read.
func (a *API) healthDetailed(ctx context.Context, r *request) error {
	report, err := a.report(ctx)
	if err != nil {
		return err
	}
	out := detailed{
		Status: report.Status, Version: a.o.Version, Environment: a.o.Environment,
		Dependencies: map[string]dependency{}, OverallHealthy: report.Status == admin.StatusHealthy,
	}
	for _, result := range report.Results {
		out.Dependencies[result.Name] = dependency{
			Healthy: result.Healthy(), Critical: result.Critical,
			LatencyMS: float64(result.Latency.Microseconds()) / float64(time.Millisecond/time.Microsecond),
			Error:     optional(result.Problem()), Mode: result.Mode,
		}
	}
	return writeJSON(r.out, fasthttp.StatusOK, out)
}

// pool is one connection pool: its health and its connections.
type pool struct {
	Healthy bool    `json:"healthy"`
	Error   *string `json:"error"`
	Open    int     `json:"open"`
	InUse   int     `json:"in_use"`
	Idle    int     `json:"idle"`
	Max     int     `json:"max"`
}

// healthPools answers GET /health/pools with an object of pools by name.
func (a *API) healthPools(ctx context.Context, r *request) error {
	report, err := a.report(ctx)
	if err != nil {
		return err
	}
	out := map[string]pool{}
	for _, result := range report.Results {
		if p := result.Pool; p != nil {
			out[result.Name] = pool{
				Healthy: result.Healthy(), Error: optional(result.Problem()),
				Open: p.Open, InUse: p.InUse, Idle: p.Idle, Max: p.Max,
			}
		}
	}
	return writeJSON(r.out, fasthttp.StatusOK, out)
}

func (a *API) report(ctx context.Context) (admin.Report, error) {
	report, err := a.o.Health.Report(ctx)
	if err != nil {
		return report, &Problem{
			Status: fasthttp.StatusServiceUnavailable, Code: "health_unavailable",
			Detail: "The health checks did not answer in time", cause: err,
		}
	}
	return report, nil
}
