package app

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"sark/configs"
)

// wait returns when ctx ends, or why a listener failed. Until then it reloads when it is asked to.
func (g *gateway) wait(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-g.failed:
			return err
		case <-g.o.Reload:
			if err := g.reload(ctx); err != nil {
				g.log.Error("reload", zap.Error(err)) // what was in force stays
			}
		}
	}
}

// reload reads the policy again, and says which keys of the configuration have changed since the start.
func (g *gateway) reload(ctx context.Context) error {
	err := g.engine.Reload(ctx)
	if err == nil {
		g.log.Info("policy was read again", zap.String("revision", g.engine.Revision()))
	}
	if g.o.Load == nil {
		return err
	}
	next, failure := g.o.Load()
	if failure != nil {
		return errors.Join(err, fmt.Errorf("read the configuration again: %w", failure))
	}
	_, live, restart := configs.Reload(*g.c, next.Config)
	if changed := append(live, restart...); len(changed) > 0 {
		g.log.Warn("the configuration has changed; restart to apply it", zap.Strings("keys", changed))
	}
	return err
}
