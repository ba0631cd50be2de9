package proxy

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// BreakerOptions say when a server that fails is left alone. A failure is a call that found no connection, got no reply in
// time or none that can be read, or got 502, 503 or 504. Other replies are the server's own answers, 4xx and 500 among
// them: one caller's bad calls must not take the server from all others.
type BreakerOptions struct {
	// Off switches the breaker off.
	Off bool
	// Failures is how many calls must fail one after the other to open the breaker; default 5.
	Failures int
	// Ratio is the share of failed calls within Window that opens it, in percent; default 50, and above 100 never.
	Ratio int
	// MinCalls is how many calls a window must hold before Ratio counts; default 20.
	MinCalls int
	// Window is the length of a window, which begins with a failure; default 10 s.
	Window time.Duration
	// OpenFor is how long the server is left alone before a call may try it, at first; default 5 s. It doubles with each
	// such call that fails, up to eight times, and up to a quarter is added by chance so that gateways do not try at once.
	OpenFor time.Duration
	// Probes is how many calls may try a server at once after that; default 1. The first that succeeds closes the breaker.
	Probes int
}

func (o *BreakerOptions) defaults() {
	setDefault(&o.Failures, 5)
	setDefault(&o.Ratio, 50)
	setDefault(&o.MinCalls, 20)
	setDefault(&o.Window, 10*time.Second)
	setDefault(&o.OpenFor, 5*time.Second)
	setDefault(&o.Probes, 1)
}

// verdict is what a call says of its server.
type verdict uint8

const (
	neutral verdict = iota // nothing: the client left, or the call was not sent for want of room
	success
	failed
)

// verdictOf says what a call that ended with err, or with a reply, says of its server.
func verdictOf(x *Exchange, err error) verdict {
	switch {
	case x.left != nil, errors.Is(err, fasthttp.ErrNoFreeConns):
		return neutral
	case err != nil:
		return failed
	}
	switch x.ctx.Response.StatusCode() {
	case 502, 503, 504:
		return failed
	}
	return success
}

// openError is that the breaker did not let a call through.
type openError struct{ retry time.Duration }

// Error implements error.
func (*openError) Error() string { return "the breaker is open" }

// longestOpen is how often OpenFor is doubled.
const longestOpen = 3

// breaker leaves a server alone that fails. While it is closed a call costs one atomic load and two adds; everything else
// is behind the mutex. A nil breaker lets everything through.
type breaker struct {
	o     BreakerOptions
	open  atomic.Bool // open or half open
	row   atomic.Int64
	calls atomic.Int64 // in this window

	mu       sync.Mutex // guards what follows
	failures int64      // in this window
	window   time.Time  // when it began
	until    time.Time  // when the open time is over
	trips    int        // since it was last closed
	probing  int        // calls that try the server
}

func newBreaker(o BreakerOptions) *breaker {
	if o.Off {
		return nil
	}
	return &breaker{o: o}
}

// allow reports whether a call may be sent. One that may must be told to done.
func (b *breaker) allow(now time.Time) bool {
	if b == nil || !b.open.Load() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open.Load():
		return true
	case now.Before(b.until) || b.probing >= b.o.Probes:
		return false
	}
	b.probing++
	return true
}

// retry is when asking again may help, at least a second.
func (b *breaker) retry(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.until.Sub(now), time.Second)
}

// blocked reports whether no call is let through now.
func (b *breaker) blocked(now time.Time) bool {
	if b == nil || !b.open.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open.Load() && now.Before(b.until)
}

// done takes what a call says of the server. Only failures need the clock.
func (b *breaker) done(v verdict, clock func() time.Time) {
	if b == nil {
		return
	}
	if v == success && !b.open.Load() {
		b.calls.Add(1)
		if b.row.Load() != 0 {
			b.row.Store(0)
		}
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open.Load() {
		b.tried(v, clock())
		return
	}
	if v == failed {
		b.count(clock())
	}
}

// count counts a failure while the breaker is closed.
func (b *breaker) count(now time.Time) {
	if now.Sub(b.window) > b.o.Window {
		b.window, b.failures = now, 0
		b.calls.Store(0)
	}
	b.failures++
	calls, row := b.calls.Add(1), b.row.Add(1)
	if row >= int64(b.o.Failures) || calls >= int64(b.o.MinCalls) && b.failures*100 >= calls*int64(b.o.Ratio) {
		b.trip(now)
	}
}

// tried takes what a call says that was let through, or was under way, while the breaker is open.
func (b *breaker) tried(v verdict, now time.Time) {
	if b.probing == 0 {
		return // sent before it opened
	}
	b.probing--
	switch v {
	case success:
		b.trips, b.probing, b.failures, b.window = 0, 0, 0, time.Time{}
		b.row.Store(0)
		b.open.Store(false)
	case failed:
		b.trip(now)
	case neutral:
	}
}

// trip opens the breaker, for longer each time.
func (b *breaker) trip(now time.Time) {
	wait := b.o.OpenFor << min(b.trips, longestOpen)
	b.until = now.Add(wait + rand.N(wait/4+1)) // #nosec G404 -- spreads gateways over time; nothing is secret
	b.trips++
	b.probing = 0
	b.open.Store(true)
}

// state is 0 while the breaker is closed, 1 while the server may be tried, and 2 while it is left alone.
func (b *breaker) state(now time.Time) float64 {
	switch {
	case b == nil || !b.open.Load():
		return 0
	case b.blocked(now):
		return 2
	}
	return 1
}
