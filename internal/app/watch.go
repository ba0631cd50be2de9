package app

import (
	"context"
	"time"

	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/watch"
)

const (
	// lookEvery is how often the configuration's files are looked at.
	lookEvery = time.Second
	// retryEvery is how often a configuration that could not be put in force is tried again: what it lacks may come after
	// it, such as the certificate in another volume.
	retryEvery = 10 * time.Second
)

// watchConfig reads the configuration again when its files hold something else, until the stop.
func (g *gateway) watchConfig(context.Context) error {
	if g.o.Files == nil || g.o.Load == nil {
		return nil
	}
	g.life.background("configuration", func(ctx context.Context) {
		watch.Poll(ctx, lookEvery, g.o.Files.Loaded(), g.o.Files.Look, g.follow)
	})
	g.life.background("configuration that is not in force", g.retry)
	return nil
}

// follow reads the configuration again because its files hold something else, and returns what they held then.
func (g *gateway) follow(now configs.Digest) (known configs.Digest) {
	known = now
	guarded(g.log, "configuration", func() {
		g.reloading.Lock()
		defer g.reloading.Unlock()
		if !g.live.Load().WatchConfig || g.o.Files.Loaded() == now { // a signal was faster
			return
		}
		if err := g.reconfigure(); err != nil {
			g.complain(err)
		}
		known = g.o.Files.Loaded()
	})
	return known
}

// retry tries again and again to put a configuration in force that could not be. It says what is new to say.
func (g *gateway) retry(ctx context.Context) {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			guarded(g.log, "configuration that is not in force", func() { g.retryOnce(ctx) })
		}
	}
}

func (g *gateway) retryOnce(ctx context.Context) {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	before := g.table.check(ctx)
	if before == nil || !g.live.Load().WatchConfig {
		return
	}
	err := g.reapply()
	g.table.failed(err)
	switch {
	case err == nil:
		g.reloads.done(nil)
	case err.Error() != before.Error():
		g.complain(err)
	}
}

func (g *gateway) complain(err error) {
	g.log.Error("the configuration cannot be used; the one before stays in force", zap.Error(err))
}
