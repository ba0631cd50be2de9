package authz

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Decider answers questions: an Engine, or an Observer before one.
type Decider interface {
	Decide(ctx context.Context, in *Input) Decision
}

// DefaultQueue is how many decisions wait for an observer, at most.
const DefaultQueue = 1024

// ObserverOptions say who hears of which decisions.
type ObserverOptions struct {
	// Name is the observer's label in metrics. Required.
	Name string
	// Decider is asked. Required.
	Decider Decider
	// Handle is called with a copy of each observed question and its answer, one after the other. Required.
	Handle func(ctx context.Context, in *Input, d *Decision)
	// Sample is the share of decisions that are observed, 0 to 1.
	Sample float64
	// Queue bounds how many decisions wait; 0 takes DefaultQueue. Those for which there is no room are dropped and counted.
	Queue int
	// Wait is how long a decision waits for room before it is dropped; 0 does not.
	Wait time.Duration
	// Log hears of panics; nil discards.
	Log *zap.Logger
	// Metrics registers the observer's metrics; nil keeps them unregistered.
	Metrics prometheus.Registerer
}

// Observer tells of decisions after they were made. It returns what its Decider answered, whatever becomes of the telling: it
// cannot change a decision, and by default never delays one.
type Observer struct {
	o         ObserverOptions
	log       *zap.Logger
	threshold uint64 // of a random number, at which a decision is observed
	queue     chan observed
	stop      chan struct{}
	done      chan struct{}
	closing   sync.Once
	seen      prometheus.Counter
	dropped   prometheus.Counter
}

// observed is one decision on its way. The input is a copy.
type observed struct {
	in *Input
	d  Decision
}

// NewObserver starts an observer, which Close ends.
func NewObserver(o ObserverOptions) (*Observer, error) {
	switch {
	case o.Name == "" || o.Decider == nil || o.Handle == nil:
		return nil, errors.New("new observer: Name, Decider and Handle are required")
	case !(o.Sample >= 0 && o.Sample <= 1):
		return nil, fmt.Errorf("new observer: Sample %v is not between 0 and 1", o.Sample)
	}
	if o.Queue <= 0 {
		o.Queue = DefaultQueue
	}
	w := &Observer{
		o: o, log: o.Log, threshold: uint64(o.Sample * (1 << 53)), queue: make(chan observed, o.Queue),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	if w.log == nil {
		w.log = zap.NewNop()
	}
	if err := w.register(o.Metrics); err != nil {
		return nil, fmt.Errorf("register metrics of observer %s: %w", o.Name, err)
	}
	go w.run()
	return w, nil
}

func (w *Observer) register(r prometheus.Registerer) error {
	if r != nil {
		r = prometheus.WrapRegistererWith(prometheus.Labels{"observer": w.o.Name}, r)
	}
	w.seen = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sark_authz_observed_total", Help: "Decisions that an observer was told of, off the way of requests.",
	})
	w.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sark_authz_observed_dropped_total", Help: "Decisions that an observer was not told of, because its queue was full.",
	})
	return register(r, w.seen, w.dropped)
}

// Decide implements Decider.
func (w *Observer) Decide(ctx context.Context, in *Input) Decision {
	d := w.o.Decider.Decide(ctx, in)
	if w.threshold == 1<<53 || w.threshold > 0 && rand.Uint64()>>11 < w.threshold { //nolint:gosec // a sample is no secret
		w.offer(in, &d)
	}
	return d
}

// offer puts a copy of a decision into the queue. It is made only when there seems to be room.
func (w *Observer) offer(in *Input, d *Decision) {
	if len(w.queue) == cap(w.queue) && w.o.Wait == 0 {
		w.dropped.Inc()
		return
	}
	o := observed{in.clone(), *d}
	select {
	case w.queue <- o:
		return
	default:
	}
	if w.o.Wait == 0 || !w.await(o) {
		w.dropped.Inc()
	}
}

// await waits for room.
func (w *Observer) await(o observed) bool {
	t := time.NewTimer(w.o.Wait)
	defer t.Stop()
	select {
	case w.queue <- o:
		return true
	case <-t.C:
	case <-w.stop:
	}
	return false
}

// Close tells of what is in the queue, until ctx ends, and stops. Decisions after it are no longer observed.
func (w *Observer) Close(ctx context.Context) {
	w.closing.Do(func() { close(w.stop) })
	select {
	case <-w.done:
	case <-ctx.Done():
	}
}

func (w *Observer) run() {
	defer close(w.done)
	for {
		select {
		case o := <-w.queue:
			w.tell(&o)
			continue
		default:
		}
		select {
		case o := <-w.queue:
			w.tell(&o)
		case <-w.stop:
			return
		}
	}
}

func (w *Observer) tell(o *observed) {
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("panic while a decision was observed", zap.String("observer", w.o.Name), zap.Any("panic", r), zap.Stack("stack"))
		}
	}()
	w.seen.Inc()
	w.o.Handle(context.Background(), o.in, &o.d)
}
