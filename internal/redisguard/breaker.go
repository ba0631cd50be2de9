package redisguard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrOpen is what an operation gets at once while the server is left alone.
var ErrOpen = errors.New("the breaker is open")

// probeInterval is how long the breaker leaves a server in trouble alone between two probes.
const probeInterval = 100 * time.Millisecond

// options are those of Options, the server apart.
type options struct {
	// limit is how long one operation may take.
	limit time.Duration
	// health is how often a server without trouble is probed.
	health time.Duration
	// meanwhile is what is done while the server is left alone.
	meanwhile string
	// probe asks the server for a sign of life.
	probe func(ctx context.Context) error
	// trouble reports whether an error means that the server is in trouble, rather than that it dislikes the question.
	trouble func(err error) bool
}

// Breaker keeps requests away from a server that is slow or gone. The first operation that fails, or takes longer than
// half of its limit, opens it; from then on none is tried until a probe in the background is answered within that half.
// So trouble costs a request at most the limit, once, and a server that is always slow is not asked at all.
//
// Its goroutine is started by New and ended by Close, which waits for it. All methods but Close may be called from several
// goroutines at once.
type Breaker struct {
	o    options
	open atomic.Bool
	// tripped has room for one: a wake-up that is not yet heard stands for all that follow.
	tripped chan struct{}
	trips   atomic.Uint64
	stop    context.CancelFunc
	stopped chan struct{}

	mu    sync.Mutex
	cause error // guarded by mu; why it is open
}

// newBreaker returns a closed breaker, which the caller must close.
func newBreaker(o options) *Breaker {
	ctx, stop := context.WithCancel(context.Background())
	b := &Breaker{o: o, tripped: make(chan struct{}, 1), stop: stop, stopped: make(chan struct{})}
	go b.run(ctx)
	return b
}

// Close stops the probes and waits for the one that is under way. A nil Breaker has none.
func (b *Breaker) Close() {
	if b == nil {
		return
	}
	b.stop()
	<-b.stopped
}

// Do tries an operation within the limit, or returns ErrOpen.
func (b *Breaker) Do(ctx context.Context, operation func(ctx context.Context) error) error {
	if b.open.Load() {
		return ErrOpen
	}
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, b.o.limit)
	defer cancel()
	err := operation(limited)
	took := time.Since(start)
	switch {
	case took > b.o.limit/2:
		b.trip(fmt.Errorf("an operation took %s: %w", took.Round(time.Millisecond), orSlow(err)))
	case err != nil && ctx.Err() == nil && b.o.trouble(err):
		b.trip(err)
	}
	return err
}

// errSlow is the cause of a trip by an operation that succeeded.
var errSlow = errors.New("too slow")

// orSlow returns err, or errSlow when there is none.
func orSlow(err error) error {
	if err == nil {
		return errSlow
	}
	return err
}

// Err returns what is done meanwhile and why the breaker is open; nil when it is closed. A nil Breaker, that of a part which
// has no server, never is.
func (b *Breaker) Err() error {
	if b == nil || !b.open.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Errorf("%s: %w", b.o.meanwhile, b.cause)
}

// trip opens the breaker.
func (b *Breaker) trip(cause error) {
	b.mu.Lock()
	b.cause = cause
	b.mu.Unlock()
	if b.open.Swap(true) {
		return
	}
	b.trips.Add(1)
	select {
	case b.tripped <- struct{}{}:
	default:
	}
}

// run probes until ctx ends: often while the breaker is open, now and then while it is closed, so that trouble is known
// before a request meets it.
func (b *Breaker) run(ctx context.Context) {
	defer close(b.stopped)
	timer := time.NewTimer(b.interval())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.tripped:
		case <-timer.C:
			b.probe(ctx)
		}
		timer.Reset(b.interval())
	}
}

// interval returns how long to wait before the next probe.
func (b *Breaker) interval() time.Duration {
	if b.open.Load() {
		return probeInterval
	}
	return b.o.health
}

// probe asks for a sign of life and closes or opens the breaker accordingly.
func (b *Breaker) probe(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, b.o.limit/2)
	defer cancel()
	err := guarded(func() error { return b.o.probe(limited) })
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		b.trip(fmt.Errorf("ping: %w", err))
		return
	}
	b.open.Store(false)
}
