package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Status is a word for how the process is.
type Status string

// The words of /health/ and of reports.
const (
	StatusStarting  Status = "starting"  // start-up has not ended
	StatusHealthy   Status = "healthy"   // every part is well
	StatusDegraded  Status = "degraded"  // serving, while a part that is not critical fails
	StatusUnhealthy Status = "unhealthy" // not serving: a critical part fails
	StatusDraining  Status = "draining"  // shutting down: no new work, please
)

// HealthOptions says what is checked.
type HealthOptions struct {
	// Checks are the parts of the process. They may be none.
	Checks []Check
	// Fresh is how long results stand before the next question runs the checks again. 0 means 1 s.
	Fresh time.Duration
	// Timeout bounds one run of the checks. 0 means 800 ms, inside the 1 s that Kubernetes gives a probe by default.
	Timeout time.Duration
	// Log tells when a part fails and when it is well again. Nil discards.
	Log *zap.Logger
	// Now is the clock, for tests. Nil means time.Now.
	Now func() time.Time
}

// Health knows how the process is: where in its life it stands, and what its checks found last. It starts no goroutine
// that outlives a question. All methods may be called from any goroutine.
type Health struct {
	checks   []Check
	fresh    time.Duration
	timeout  time.Duration
	log      *zap.Logger
	now      func() time.Time
	started  atomic.Bool
	draining atomic.Bool

	turn   chan struct{}         // holds one token: whoever took it may run the checks and write last
	last   atomic.Pointer[sweep] // nil before the first run; never changed once stored
	failed map[string]bool       // which checks failed in the last run; owned by the holder of turn
}

// sweep is one run of all checks.
type sweep struct {
	at      time.Time
	results []Result
}

// NewHealth checks the options and returns a Health in the state "starting".
func NewHealth(o HealthOptions) (*Health, error) {
	seen := map[string]bool{}
	for _, c := range o.Checks {
		if c.Name == "" || c.Run == nil {
			return nil, fmt.Errorf("health check %q: needs a name and a function", c.Name)
		}
		if seen[c.Name] {
			return nil, fmt.Errorf("health check %q: the name is taken", c.Name)
		}
		seen[c.Name] = true
	}
	if o.Fresh < 0 || o.Timeout < 0 {
		return nil, errors.New("health: fresh and timeout must not be negative")
	}
	h := &Health{
		checks: o.Checks, fresh: o.Fresh, timeout: o.Timeout, log: o.Log, now: o.Now,
		turn: make(chan struct{}, 1), failed: map[string]bool{},
	}
	h.fillDefaults()
	h.turn <- struct{}{}
	return h, nil
}

func (h *Health) fillDefaults() {
	if h.fresh == 0 {
		h.fresh = time.Second
	}
	if h.timeout == 0 {
		h.timeout = 800 * time.Millisecond
	}
	if h.log == nil {
		h.log = zap.NewNop()
	}
	if h.now == nil {
		h.now = time.Now
	}
}

// MarkStarted says that start-up has ended: from now on readiness depends on the checks.
func (h *Health) MarkStarted() { h.started.Store(true) }

// MarkDraining says that shutdown has begun: from now on the process is not ready, for good.
func (h *Health) MarkDraining() { h.draining.Store(true) }

// Started reports whether start-up has ended.
func (h *Health) Started() bool { return h.started.Load() }

// Ready reports whether the process should get traffic: started, not draining, and no critical check failing.
// Without an answer by the end of ctx it is not.
func (h *Health) Ready(ctx context.Context) bool {
	status := h.Status(ctx)
	return status == StatusHealthy || status == StatusDegraded
}

// Status returns the word for the process as a whole.
func (h *Health) Status(ctx context.Context) Status {
	if status, settled := h.phase(); settled {
		return status
	}
	results, err := h.results(ctx)
	if err != nil {
		return StatusUnhealthy
	}
	return summarise(results)
}

// Report is the health of the process in detail.
type Report struct {
	// Status is the word for the whole.
	Status Status
	// Results holds one entry per check, in the order of the options. It is shared: readers must not change it.
	Results []Result
}

// Report returns what the checks found, at most HealthOptions.Fresh ago. The error is that of ctx.
func (h *Health) Report(ctx context.Context) (Report, error) {
	results, err := h.results(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("wait for health checks: %w", err)
	}
	if status, settled := h.phase(); settled {
		return Report{Status: status, Results: results}, nil
	}
	return Report{Status: summarise(results), Results: results}, nil
}

// phase returns the status while it does not depend on checks.
func (h *Health) phase() (status Status, settled bool) {
	switch {
	case h.draining.Load():
		return StatusDraining, true
	case !h.started.Load():
		return StatusStarting, true
	}
	return "", false
}

// summarise folds results into one word.
func summarise(results []Result) Status {
	status := StatusHealthy
	for _, r := range results {
		if r.Healthy() {
			continue
		}
		if r.Critical {
			return StatusUnhealthy
		}
		status = StatusDegraded
	}
	return status
}

// results returns fresh results. Of many askers one runs the checks; the others wait for it, no longer than their ctx.
func (h *Health) results(ctx context.Context) ([]Result, error) {
	if last := h.lastFresh(); last != nil {
		return last.results, nil
	}
	select {
	case <-h.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { h.turn <- struct{}{} }()
	if last := h.lastFresh(); last != nil {
		return last.results, nil
	}
	results := h.runChecks(ctx)
	h.last.Store(&sweep{at: h.now(), results: results})
	h.logChanges(results)
	return results, nil
}

func (h *Health) lastFresh() *sweep {
	last := h.last.Load()
	if last == nil || h.now().Sub(last.at) >= h.fresh {
		return nil
	}
	return last
}

// runChecks runs all checks side by side and waits for them. An asker that leaves does not spoil the result for others:
// only the timeout ends a check.
func (h *Health) runChecks(ctx context.Context) []Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.timeout)
	defer cancel()
	results := make([]Result, len(h.checks))
	var wait sync.WaitGroup
	for i := range h.checks {
		wait.Go(func() { results[i] = h.checks[i].run(ctx) })
	}
	wait.Wait()
	return results
}

// logChanges writes a line when a part fails that was well, and when it is well again.
func (h *Health) logChanges(results []Result) {
	for _, r := range results {
		failed := !r.Healthy()
		if failed == h.failed[r.Name] {
			continue
		}
		h.failed[r.Name] = failed
		if failed {
			h.log.Warn("health check failed", zap.String("check", r.Name), zap.Bool("critical", r.Critical), zap.Error(r.Err))
			continue
		}
		h.log.Info("health check passed again", zap.String("check", r.Name))
	}
}
