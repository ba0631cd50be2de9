package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"
)

// Kinds of HealthOptions.Probe.
const (
	// ProbeConnect opens a connection, TLS included, and closes it: the server sees no request.
	ProbeConnect = "connect"
	// ProbeGet asks for HealthOptions.Path. Any answer below 500 is well.
	ProbeGet = "get"
	// ProbePing sends an MCP ping outside of any session. Any answer below 500 is well: servers that want a session say
	// so, and no session is ever opened (servers have been brought down by the sessions of health checks).
	ProbePing = "ping"
)

// HealthOptions say how a server is probed. What calls find out counts as well: a server whose breaker is open is down.
type HealthOptions struct {
	// Interval is the time between two probes; 0 probes never.
	Interval time.Duration
	// Timeout bounds a probe; default 2 s.
	Timeout time.Duration
	// Probe is ProbeConnect (default), ProbeGet or ProbePing.
	Probe string
	// Path is what ProbeGet asks for, without authorization; default the path of the URL.
	Path string
	// Failures is how many probes must fail one after the other until the server is down; default 3.
	Failures int
	// Successes is how many must succeed until it is up again; default 2.
	Successes int
}

func (o *HealthOptions) defaults() {
	setDefault(&o.Timeout, 2*time.Second)
	setDefault(&o.Probe, ProbeConnect)
	setDefault(&o.Failures, 3)
	setDefault(&o.Successes, 2)
}

// ServerHealth is how one server is.
type ServerHealth struct {
	// Name and ID are those of its options.
	Name, ID string
	// Registered says that it comes from the registry.
	Registered bool
	// Up is false while probes fail or the breaker is open.
	Up bool
	// Err is why it is down. It is for logs.
	Err error
	// Open, Used and Max are its connections: all, those with an exchange, and the bound.
	Open, Used, Max int
}

// health is what probes found out about a server.
type health struct {
	mu   sync.Mutex // guards what follows
	due  time.Time
	busy bool
	row  int // of equal results that speak against down
	down bool
	err  error
}

// claim reports whether a probe is due, and takes it.
func (h *health) claim(now time.Time, interval time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy || now.Before(h.due) {
		return false
	}
	h.busy, h.due = true, now.Add(interval)
	return true
}

// record takes the result of a probe and returns whether the server changed.
func (h *health) record(err error, o HealthOptions) (changed, down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
	if (err != nil) == h.down {
		h.row, h.err = 0, err
		return false, h.down
	}
	h.row++
	limit := o.Failures
	if h.down {
		limit = o.Successes
	}
	if h.row < limit {
		return false, h.down
	}
	h.row, h.down, h.err = 0, err != nil, err
	return true, h.down
}

func (h *health) state() (down bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.down, h.err
}

var errBreaker = errors.New("calls fail, and the breaker is open")

// condition is how a server is now.
func (s *server) condition(now time.Time) (up bool, err error) {
	if s.upstream.breaker.blocked(now) {
		return false, errBreaker
	}
	down, err := s.upstream.health.state()
	if !down {
		err = nil
	}
	return !down, err
}

// Health returns how the servers are, in the order of the options. Servers that are not asked at all are left out.
func (h *Handler) Health() []ServerHealth {
	live := h.live.Load()
	now := live.o.Now()
	var all []ServerHealth
	for _, s := range live.routes.servers {
		if s.upstream != nil {
			all = append(all, s.report(now))
		}
	}
	return all
}

func (s *server) report(now time.Time) ServerHealth {
	u := s.upstream
	r := ServerHealth{Name: s.name, ID: s.policy.ID, Registered: s.registered, Max: 2 * u.o.MaxConns}
	r.Up, r.Err = s.condition(now)
	for _, p := range []*pool{u.calls, u.streams} {
		r.Open += int(p.open.Load())
		r.Used += int(p.used.Load())
	}
	return r
}

// longestNap is how long Probe sleeps at most, so that servers of a Reload are seen soon.
const longestNap = time.Second

// Probe probes the servers that want it until ctx ends, and waits then for the probes under way.
func (h *Handler) Probe(ctx context.Context) {
	var probes sync.WaitGroup
	defer probes.Wait()
	nap := time.NewTimer(0)
	defer nap.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-nap.C:
		}
		nap.Reset(h.probeDue(ctx, &probes))
	}
}

// probeDue starts the probes that are due, and returns when the next ones may be.
func (h *Handler) probeDue(ctx context.Context, probes *sync.WaitGroup) time.Duration {
	live, wait := h.live.Load(), longestNap
	for _, s := range live.routes.servers {
		u := s.upstream
		if u == nil || u.o.Health.Interval <= 0 {
			continue
		}
		wait = min(wait, u.o.Health.Interval)
		if u.health.claim(time.Now(), u.o.Health.Interval) {
			probes.Go(func() { live.probe(ctx, s) })
		}
	}
	return wait
}

// probe probes one server and tells who wants to know.
func (h *Handler) probe(ctx context.Context, s *server) {
	u := s.upstream
	err := h.try(ctx, u)
	if ctx.Err() != nil {
		return
	}
	if err == nil && u.breaker.blocked(time.Now()) {
		err = errBreaker
	}
	changed, down := u.health.record(err, u.o.Health)
	if changed {
		h.o.Log.Warn("the health of a server has changed", zap.String("server_name", s.name), zap.Bool("up", !down), zap.Error(err))
	}
	if h.o.OnHealth != nil && (changed || down != (s.state == ServerUnhealthy)) {
		r := s.report(time.Now())
		r.Up, r.Err = !down, err
		h.o.OnHealth(r)
	}
}

// try does one probe. A panic is a failed one.
func (h *Handler) try(ctx context.Context, u *upstream) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			h.o.Log.Error("panic in a health probe", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("probe: panic: %v", cause)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, u.o.Health.Timeout)
	defer cancel()
	return u.probe(ctx)
}

// probe opens a connection of its own: those of calls are not taken from them, and what is asked is whether there can be
// new ones.
func (u *upstream) probe(ctx context.Context) error {
	d := &net.Dialer{}
	if u.o.Networks != nil {
		d.Control = u.o.Networks.Control
	}
	c, err := dial(ctx, d, u.at, u.o, nil)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer c.Close() //nolint:errcheck // nothing is lost with it
	if err := u.o.loops.await(ctx, c); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if u.o.Health.Probe == ProbeConnect {
		return nil
	}
	r := rolling(c)
	r.expect(u.o.Health.Timeout, nil)
	r.bound(u.o.Health.Timeout)
	return u.ask(c)
}

// pingBody is an MCP ping.
const pingBody = `{"jsonrpc":"2.0","id":"sark-health","method":"ping"}`

// ask sends the request of a probe.
func (u *upstream) ask(c net.Conn) error {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetHost(u.at.host)
	req.Header.SetUserAgent("sark-health")
	req.SetConnectionClose()
	req.SetRequestURI(u.at.uri)
	if u.o.Health.Probe == ProbePing {
		req.Header.SetMethod("POST")
		req.Header.SetContentType("application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.SetBodyString(pingBody)
	} else if u.o.Health.Path != "" {
		req.SetRequestURI(u.o.Health.Path)
	}
	w := bufio.NewWriter(c)
	if err := req.Write(w); err != nil {
		return fmt.Errorf("probe: send: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("probe: send: %w", err)
	}
	if err := resp.Header.Read(bufio.NewReader(c)); err != nil {
		return fmt.Errorf("probe: no answer: %w", err)
	}
	if code := resp.StatusCode(); code >= 500 {
		return fmt.Errorf("probe: status %d", code)
	}
	return nil
}

// unavailable is why a server is not asked; nil when it is.
func (s *server) unavailable() *Problem {
	switch s.state {
	case ServerUnhealthy:
		return &Problem{Status: 503, Rule: "server_unhealthy", Reason: "the server is down", Retry: 5 * time.Second, Outcome: "upstream_failed"}
	case ServerLocal:
		return &Problem{Status: 501, Rule: "server_stdio", Reason: "the server speaks stdio, which the gateway does not serve"}
	case ServerActive:
	}
	return nil
}
