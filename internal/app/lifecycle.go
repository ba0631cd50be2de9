package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// drain makes the gateway unready and its replies end their connections, so that clients find another one. It goes on
// serving. It returns when that began, which is once.
func (g *gateway) drain() (began time.Time) {
	g.health.MarkDraining()
	g.table.leave()
	now := time.Now()
	if g.drained.CompareAndSwap(nil, &now) {
		g.log.Info("draining: unready, and replies end their connections")
	}
	return *g.drained.Load()
}

// leave goes on serving until the gateway has drained for proxy.drain_grace. It returns why a listener failed meanwhile.
func (g *gateway) leave(ctx context.Context) error {
	grace := g.live.Load().Proxy.DrainGrace
	if grace <= 0 {
		return nil
	}
	over := time.NewTimer(grace - time.Since(g.drain()))
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done(): // not before: drain_grace is part of drain_timeout
	case err := <-g.failed:
		return err
	}
	return nil
}

// leave makes the replies of all listeners end their connections.
func (t *table) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.fronts {
		f.h.Leave()
	}
}

// lifecycle holds the stops of what was started.
type lifecycle struct {
	stops []stop
	log   *zap.Logger
}

type stop struct {
	name string
	run  func(ctx context.Context) error
}

// onStop registers how to stop what was just started.
func (l *lifecycle) onStop(name string, run func(ctx context.Context) error) {
	l.stops = append(l.stops, stop{name, run})
}

// guarded runs one round of something in a goroutine of ours, where a panic would end the process. It costs the round.
func guarded(log *zap.Logger, what string, round func()) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("BUG: a part panicked", zap.String("part", what), zap.Any("panic", p), zap.Stack("stack"))
		}
	}()
	round()
}

// background runs something beside the requests until its stop, which waits for it. What runs again and again guards each
// of its rounds; a panic that none of them has caught ends the part, and not the process.
func (l *lifecycle) background(name string, run func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		guarded(l.log, name, func() { run(ctx) })
	}()
	l.onStop(name, func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// stop runs all stops backwards, each even when another failed, and joins their errors. ctx bounds them all. It does
// nothing the second time.
func (l *lifecycle) stop(ctx context.Context) error {
	var errs []error
	for i := len(l.stops) - 1; i >= 0; i-- {
		s := l.stops[i]
		l.log.Debug("stopping", zap.String("part", s.name))
		if err := s.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	l.stops = nil
	return errors.Join(errs...)
}
