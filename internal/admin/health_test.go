package admin_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sark/internal/admin"
)

var errDown = errors.New("dial tcp 10.0.0.7:5432: refused")

// part is a check whose result a test sets.
type part struct {
	err  atomic.Pointer[error]
	runs atomic.Int64
}

func (p *part) set(err error) { p.err.Store(&err) }

func (p *part) run(context.Context) error {
	p.runs.Add(1)
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

func newHealth(t *testing.T, o admin.HealthOptions) *admin.Health {
	t.Helper()
	h, err := admin.NewHealth(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestStatusFollowsLifeAndChecks(t *testing.T) {
	type step struct {
		name             string
		change           func(h *admin.Health, critical, optional *part)
		status           admin.Status
		live, ready, all admin.Probe
		startup          admin.Probe
	}
	alive := admin.Probe{Code: 200, Status: "alive"}
	started := admin.Probe{Code: 200, Status: "started"}
	steps := []step{
		{
			name:   "new",
			change: func(*admin.Health, *part, *part) {},
			status: admin.StatusStarting, live: alive, ready: admin.Probe{Code: 503, Status: "not_ready"},
			all: admin.Probe{Code: 503, Status: "starting"}, startup: admin.Probe{Code: 503, Status: "starting"},
		},
		{
			name:   "started",
			change: func(h *admin.Health, _, _ *part) { h.MarkStarted() },
			status: admin.StatusHealthy, live: alive, ready: admin.Probe{Code: 200, Status: "ready"},
			all: admin.Probe{Code: 200, Status: "healthy"}, startup: started,
		},
		{
			name:   "optional part fails",
			change: func(_ *admin.Health, _, optional *part) { optional.set(errDown) },
			status: admin.StatusDegraded, live: alive, ready: admin.Probe{Code: 200, Status: "ready"},
			all: admin.Probe{Code: 200, Status: "degraded"}, startup: started,
		},
		{
			name:   "critical part fails",
			change: func(_ *admin.Health, critical, _ *part) { critical.set(errDown) },
			status: admin.StatusUnhealthy, live: alive, ready: admin.Probe{Code: 503, Status: "not_ready"},
			all: admin.Probe{Code: 503, Status: "unhealthy"}, startup: started,
		},
		{
			name:   "both well again",
			change: func(_ *admin.Health, critical, optional *part) { critical.set(nil); optional.set(nil) },
			status: admin.StatusHealthy, live: alive, ready: admin.Probe{Code: 200, Status: "ready"},
			all: admin.Probe{Code: 200, Status: "healthy"}, startup: started,
		},
		{
			name:   "draining",
			change: func(h *admin.Health, _, _ *part) { h.MarkDraining() },
			status: admin.StatusDraining, live: alive, ready: admin.Probe{Code: 503, Status: "draining"},
			all: admin.Probe{Code: 503, Status: "draining"}, startup: started,
		},
	}
	var critical, optional part
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	h := newHealth(t, admin.HealthOptions{
		Checks: []admin.Check{
			{Name: "policy", Critical: true, Run: critical.run},
			{Name: "store", Run: optional.run},
		},
		Now: func() time.Time { return now },
	})

	for _, s := range steps {
		s.change(h, &critical, &optional)
		now = now.Add(time.Minute)

		ctx := t.Context()
		got := []any{h.Status(ctx), h.Probe(ctx, "live"), h.Probe(ctx, "ready"), h.Probe(ctx, ""), h.Probe(ctx, "startup")}
		want := []any{s.status, s.live, s.ready, s.all, s.startup}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
}

func TestResultsStandForAMoment(t *testing.T) {
	var store part
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	h := newHealth(t, admin.HealthOptions{
		Checks: []admin.Check{{Name: "store", Run: store.run}}, Fresh: time.Second,
		Now: func() time.Time { return now },
	})
	h.MarkStarted()

	for range 10 {
		h.Ready(t.Context())
	}
	now = now.Add(time.Second)
	h.Ready(t.Context())

	if got := store.runs.Load(); got != 2 {
		t.Errorf("the check ran %d times, want 2", got)
	}
}

func TestManyAskersShareOneRun(t *testing.T) {
	var runs atomic.Int64
	begun, release := make(chan struct{}), make(chan struct{})
	h := newHealth(t, admin.HealthOptions{
		Checks: []admin.Check{{Name: "store", Run: func(context.Context) error {
			runs.Add(1)
			close(begun)
			<-release
			return nil
		}}},
		Fresh: time.Hour, Timeout: time.Hour,
	})
	h.MarkStarted()

	var wait sync.WaitGroup
	var ready atomic.Int64
	for range 8 {
		wait.Go(func() {
			if h.Ready(context.Background()) {
				ready.Add(1)
			}
		})
	}
	<-begun
	left, cancel := context.WithCancel(t.Context())
	cancel()
	if h.Ready(left) {
		t.Error("an asker that left was told ready")
	}
	close(release)
	wait.Wait()

	if runs.Load() != 1 || ready.Load() != 8 {
		t.Errorf("%d runs, %d of 8 ready", runs.Load(), ready.Load())
	}
}

func TestCheckThatHangsTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHealth(t, admin.HealthOptions{Checks: []admin.Check{
			{Name: "store", Run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
			{Name: "policy", Run: func(context.Context) error { panic("no bundle") }},
			{Name: "spool", Run: func(context.Context) error { return nil }},
		}, Timeout: 300 * time.Millisecond})
		h.MarkStarted()

		report, err := h.Report(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		type line struct {
			Name, Problem string
			Latency       time.Duration
		}
		var got []line
		for _, r := range report.Results {
			got = append(got, line{r.Name, r.Problem(), r.Latency})
		}
		want := []line{{"store", "timeout", 300 * time.Millisecond}, {"policy", "failed", 0}, {"spool", "", 0}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if report.Status != admin.StatusDegraded {
			t.Errorf("status %q", report.Status)
		}
	})
}

func TestChangesAreLoggedOnce(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	var store part
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	h := newHealth(t, admin.HealthOptions{
		Checks: []admin.Check{{Name: "store", Run: store.run}}, Log: zap.New(core), Now: func() time.Time { return now },
	})
	h.MarkStarted()

	for _, err := range []error{nil, errDown, errDown, nil, nil} {
		store.set(err)
		now = now.Add(time.Minute)
		h.Ready(t.Context())
	}

	var got []string
	for _, entry := range logs.All() {
		got = append(got, entry.Message)
	}
	want := []string{"health check failed", "health check passed again"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log lines (-want +got):\n%s", diff)
	}
}

func TestNewHealthRefusesBadOptions(t *testing.T) {
	run := func(context.Context) error { return nil }
	for name, o := range map[string]admin.HealthOptions{
		"no name":     {Checks: []admin.Check{{Run: run}}},
		"no function": {Checks: []admin.Check{{Name: "store"}}},
		"same name":   {Checks: []admin.Check{{Name: "store", Run: run}, {Name: "store", Run: run}}},
		"negative":    {Fresh: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := admin.NewHealth(o); err == nil {
				t.Error("no error")
			}
		})
	}
}
