package api_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"sark/internal/admin"
	"sark/internal/api"
)

func TestHealth(t *testing.T) {
	var down atomic.Bool
	health, err := admin.NewHealth(admin.HealthOptions{Fresh: 1, Checks: []admin.Check{
		{
			Name: "store", Critical: true,
			Run: func(context.Context) error {
				if down.Load() {
					return errors.New("dial tcp 10.0.0.7:5432: password authentication failed for user sark")
				}
				return nil
			},
			Pool: func() admin.PoolStats { return admin.PoolStats{Open: 3, InUse: 1, Idle: 2, Max: 30} },
		},
		{Name: "policy", Run: func(context.Context) error { return nil }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, func(o *api.Options) { o.Health = health })
	ask := func() map[string]any {
		got := map[string]any{}
		for _, path := range []string{"/health/", "/health/live", "/health/ready", "/health/startup", "/health/detailed", "/health/pools"} {
			r := g.get(t, path)
			if body, ok := r.Body.(map[string]any)["dependencies"]; ok {
				for _, d := range body.(map[string]any) {
					delete(d.(map[string]any), "latency_ms")
				}
			}
			got[path] = []any{r.Code, r.Body}
		}
		return got
	}
	status := func(code int, word string) any { return []any{code, any(map[string]any{"status": word})} }
	policy := map[string]any{"healthy": true, "critical": false, "error": nil}
	detailed := func(word string, healthy bool, problem any) any {
		return []any{200, any(map[string]any{
			"status": word, "version": "1.2.3", "environment": "test", "overall_healthy": word == "healthy",
			"dependencies": map[string]any{
				"policy": policy, "store": map[string]any{"healthy": healthy, "critical": true, "error": problem},
			},
		})}
	}
	pools := func(healthy bool, problem any) any {
		return []any{200, any(map[string]any{"store": map[string]any{
			"healthy": healthy, "error": problem, "open": 3.0, "in_use": 1.0, "idle": 2.0, "max": 30.0,
		}})}
	}

	diff(t, "starting", map[string]any{
		"/health/": status(503, "starting"), "/health/live": status(200, "alive"), "/health/ready": status(503, "not_ready"),
		"/health/startup": status(503, "starting"), "/health/detailed": detailed("starting", true, nil), "/health/pools": pools(true, nil),
	}, ask())
	health.MarkStarted()
	diff(t, "started", map[string]any{
		"/health/": status(200, "healthy"), "/health/live": status(200, "alive"), "/health/ready": status(200, "ready"),
		"/health/startup": status(200, "started"), "/health/detailed": detailed("healthy", true, nil), "/health/pools": pools(true, nil),
	}, ask())
	down.Store(true)
	diff(t, "down", map[string]any{
		"/health/": status(503, "unhealthy"), "/health/live": status(200, "alive"), "/health/ready": status(503, "not_ready"),
		"/health/startup": status(200, "started"), "/health/detailed": detailed("unhealthy", false, "failed"),
		"/health/pools": pools(false, "failed"),
	}, ask())
}
