package cachemw

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxL1TTL is the longest that L1 may go without asking L2, and the default.
	maxL1TTL = 30 * time.Second
	// listenAgain is how long a Tiered waits before it listens again after the bus broke.
	listenAgain = 100 * time.Millisecond
)

// Why a Tiered hears nothing, where the bus does not say.
var (
	errNotYet = errors.New("not connected yet")
	errEnded  = errors.New("the bus ended")
)

// Tiered is a Backend of two layers: L1 in this process, L2 shared by all gateways. L2 is right; L1 saves the way to it.
//
// Invalidations of other gateways are heard on a Bus. Whenever one may have been missed, L1 is dropped; while none can be
// heard, L1 is not used. Should one be lost all the same, what L1 says is at most TieredOptions.TTL old: neither an entry
// nor the generation of a server is kept for longer without asking L2.
type Tiered struct {
	l1     *Memory
	l2     Backend
	bus    Bus
	ttl    time.Duration
	now    func() time.Time
	sender string

	l1Hits, l2Hits, flushes counter
	listening               atomic.Bool
	stop                    context.CancelFunc
	stopped                 chan struct{}

	mu      sync.RWMutex
	current map[string]memo // guarded by mu; the generations that L2 named lately
	changes uint64          // guarded by mu; how often something was forgotten
	deaf    error           // guarded by mu; why the bus is down, nil when it is not
}

// memo is what L2 said about a server.
type memo struct {
	generation uint64
	until      time.Time
}

// TieredOptions are the options of NewTiered.
type TieredOptions struct {
	// Bus is required; usually it is L2 itself.
	Bus Bus
	// TTL is how long L1 may go without asking L2: above 0, at most 30 s, the default.
	TTL time.Duration
	// Registerer receives the metrics; nil leaves them out.
	Registerer prometheus.Registerer
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// NewTiered returns a Tiered that owns both layers: its Close closes them. On an error the caller keeps them.
func NewTiered(l1 *Memory, l2 Backend, o TieredOptions) (*Tiered, error) {
	if o.TTL == 0 {
		o.TTL = maxL1TTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case l1 == nil || l2 == nil || o.Bus == nil:
		return nil, errors.New("cachemw: a Tiered needs two layers and a Bus")
	case o.TTL < 0 || o.TTL > maxL1TTL:
		return nil, fmt.Errorf("cachemw: TTL of L1 is %s, must be above 0 and at most %s", o.TTL, maxL1TTL)
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &Tiered{
		l1: l1, l2: l2, bus: o.Bus, ttl: o.TTL, now: o.Now, sender: recordValue(newValue()),
		stop: stop, stopped: make(chan struct{}), current: map[string]memo{}, deaf: errNotYet,
	}
	if err := registerTiered(o.Registerer, t); err != nil {
		stop()
		return nil, fmt.Errorf("cachemw: register metrics: %w", err)
	}
	go t.listen(ctx)
	return t, nil
}

// Load implements Backend.
func (t *Tiered) Load(ctx context.Context, key Key) (Entry, bool, error) {
	if t.listening.Load() {
		e, ok, err := t.l1.Load(ctx, key)
		if ok && e.Kept(t.now()) {
			t.l1Hits.Add(1)
			return e, true, err
		}
	}
	e, ok, err := t.l2.Load(ctx, key)
	if err != nil || !ok {
		return Entry{}, false, err
	}
	t.l2Hits.Add(1)
	t.keep(key, e)
	return e, true, nil
}

// Save implements Backend.
func (t *Tiered) Save(ctx context.Context, key Key, e Entry) error {
	t.keep(key, e.clone())
	return t.l2.Save(ctx, key, e)
}

// keep keeps an entry in L1, if its generation is known there to be current.
func (t *Tiered) keep(key Key, e Entry) {
	if !t.listening.Load() {
		return
	}
	until := e.Stored.Add(e.kept())
	if longest := t.now().Add(t.ttl); until.After(longest) {
		until = longest
	}
	t.l1.keep(key, e, until)
}

// Generation implements Backend. It asks L2 only when L1 does not know, or has not asked for as long as TieredOptions.TTL.
func (t *Tiered) Generation(ctx context.Context, server string) (uint64, error) {
	now := t.now()
	t.mu.RLock()
	known, changes := t.current[server], t.changes
	t.mu.RUnlock()
	if now.Before(known.until) {
		return known.generation, nil
	}
	generation, err := t.l2.Generation(ctx, server)
	if err == nil {
		t.learn(server, generation, changes, now.Add(t.ttl))
	}
	return generation, err
}

// learn notes what L2 says, unless something was forgotten since it was asked: then it may be out of date already.
func (t *Tiered) learn(server string, generation, changes uint64, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes != changes || t.deaf != nil {
		return
	}
	if len(t.current) >= maxServers {
		clear(t.current)
	}
	t.current[server] = memo{generation, until}
	t.l1.generations.adopt(server, generation)
}

// Invalidate implements Backend. The error names the layers that could not be reached.
func (t *Tiered) Invalidate(ctx context.Context, server string) error {
	return t.invalidate(ctx, forgetServer+server, t.l2.Invalidate(ctx, server))
}

// InvalidateAll implements Backend. The error names the layers that could not be reached.
func (t *Tiered) InvalidateAll(ctx context.Context) error {
	return t.invalidate(ctx, forgetAll, t.l2.InvalidateAll(ctx))
}

// invalidate forgets here what was ended in L2 with that result, and tells the others. L2 comes first: what is forgotten
// before could be learnt again.
func (t *Tiered) invalidate(ctx context.Context, what string, inL2 error) error {
	t.forget(what)
	published := t.bus.Publish(ctx, message(t.sender, what))
	return errors.Join(named("L2, the shared cache", inL2), named("L1 of the other gateways", published))
}

// named puts the name of a layer before its error.
func named(layer string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", layer, err)
}

// forget ends generations in L1.
func (t *Tiered) forget(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	if server, one := strings.CutPrefix(what, forgetServer); one {
		delete(t.current, server)
		t.l1.generations.end(server)
		return
	}
	t.dropLocked()
}

// dropLocked drops everything in L1.
func (t *Tiered) dropLocked() {
	clear(t.current)
	t.l1.generations.endAll()
	t.l1.cache.InvalidateAll()
}

// listen hears the bus until ctx is done.
func (t *Tiered) listen(ctx context.Context) {
	defer close(t.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := guarded(func() error { return t.bus.Listen(ctx, func() { t.flush(nil) }, t.heard) })
		if err == nil {
			err = errEnded
		}
		t.flush(err)
		timer.Reset(listenAgain)
	}
}

// flush drops L1 because the bus went down, or came up again after what was said in the meantime was missed.
func (t *Tiered) flush(deaf error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listening.Store(false)
	t.changes++
	t.deaf = deaf
	t.flushes.Add(1)
	t.dropLocked()
	t.listening.Store(deaf == nil)
}

// heard does what another gateway says. Our own messages come back, too, but what they say is done already.
func (t *Tiered) heard(m string) {
	if sender, what := readMessage(m); sender != t.sender {
		t.forget(what)
	}
}

// Hits returns how many entries were found in L1, and how many in L2 only.
func (t *Tiered) Hits() (l1, l2 uint64) { return t.l1Hits.Load(), t.l2Hits.Load() }

// Usage implements Backend. It is what L1 holds: the memory of this gateway. What L2 holds it shares.
func (t *Tiered) Usage() Usage { return t.l1.Usage() }

// evictedBy returns Usage().Evictions by class and server.
func (t *Tiered) evictedBy() map[cellKey]uint64 { return t.l1.evictedBy() }

// Err returns why a layer is not in use at the moment; nil when both are.
func (t *Tiered) Err() error {
	t.mu.RLock()
	deaf := t.deaf
	t.mu.RUnlock()
	err := named("cache L1 is not used, because invalidations cannot be heard", deaf)
	if l2, ok := t.l2.(interface{ Err() error }); ok {
		err = errors.Join(err, named("cache L2", l2.Err()))
	}
	return err
}

// Close implements Backend. It closes both layers.
func (t *Tiered) Close() error {
	t.stop()
	<-t.stopped
	return errors.Join(t.l1.Close(), t.l2.Close())
}
