package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"sark/cachemw"
	"sark/proxy"
	"sark/store"
)

const (
	// outboxBatch is how many changes are read from the outbox at once.
	outboxBatch = 100
	// outboxTimeout is how long the author of a write waits for the caches to forget.
	outboxTimeout = 2 * time.Second
	// outboxPause is how often changes are looked for that this or another gateway left behind.
	outboxPause = 5 * time.Second
)

// changes is where the registry keeps what caches have not heard of yet.
type changes interface {
	PendingChanges(ctx context.Context, limit int) ([]store.Change, error)
	AcknowledgeChange(ctx context.Context, id int64) error
	Server(ctx context.Context, id string) (store.Server, error)
}

// outbox makes caches forget what a write to the registry has changed. The change is in the database with the write, and
// is acknowledged when the caches have forgotten: a gateway that dies in between, or a shared cache that cannot be reached,
// leaves it for the next attempt, of any gateway.
type outbox struct {
	db    changes
	cache *cachemw.Cache // nil when nothing is cached
	log   *zap.Logger

	mu   sync.Mutex // held while changes are worked off
	stop context.CancelFunc
	done sync.WaitGroup
}

// startOutbox works off what was left behind, now and from time to time, until the stop.
func (g *gateway) startOutbox(context.Context) error {
	ctx, stop := context.WithCancel(context.Background())
	o := &outbox{db: g.db, cache: g.cache, log: g.log, stop: stop}
	o.done.Go(func() { o.run(ctx) })
	g.outbox = o
	g.life.onStop("outbox", func(context.Context) error {
		stop()
		o.done.Wait()
		return nil
	})
	return nil
}

func (o *outbox) run(ctx context.Context) {
	tick := time.NewTicker(outboxPause)
	defer tick.Stop()
	failing := false
	for {
		err := o.guarded(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			o.log.Warn("changes of the registry cannot be told to the caches; it is tried again", zap.Error(err))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// guarded is work in a goroutine of ours, where a panic would end the process.
func (o *outbox) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, outboxTimeout)
	defer cancel()
	return o.work(ctx)
}

// work makes the caches forget every change that waits, in order.
func (o *outbox) work(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		waiting, err := o.db.PendingChanges(ctx, outboxBatch)
		if err != nil {
			return err
		}
		for _, c := range waiting {
			if err := o.forget(ctx, c); err != nil {
				return err
			}
			if err := o.db.AcknowledgeChange(ctx, c.ID); err != nil {
				return err
			}
		}
		if len(waiting) < outboxBatch {
			return nil
		}
	}
}

// forget drops what is kept of the management API, and of the server itself by its name on the data path.
func (o *outbox) forget(ctx context.Context, c store.Change) error {
	if o.cache == nil {
		return nil
	}
	if err := o.cache.Invalidate(ctx, proxy.APICacheName); err != nil {
		return err
	}
	s, err := o.db.Server(ctx, c.SubjectID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return o.cache.Invalidate(ctx, s.Name)
}

// tell makes the caches forget before the author of a write is told that it is done. A change that cannot be read, or that
// not every cache can be told of in time, is tried again; meanwhile nobody knows all that it touches, so this gateway serves
// nothing that it has kept.
func (o *outbox) tell() {
	err := o.timed(o.work)
	if err == nil {
		return
	}
	o.log.Warn("changes of the registry are tried again", zap.Error(err))
	if o.cache == nil {
		return
	}
	if err := o.timed(o.cache.InvalidateAll); err != nil {
		o.log.Warn("the cache is not used until it has forgotten", zap.Error(err))
	}
}

// timed runs f for no longer than outboxTimeout.
func (*outbox) timed(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), outboxTimeout)
	defer cancel()
	return f(ctx)
}

// changed routes what has changed, and tells the caches.
func (g *gateway) changed(string) {
	g.followRegistry()
	g.outbox.tell()
}
