package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sark/configs"
)

// wait returns when ctx ends, or why a listener failed. Until then it does what it is told.
func (g *gateway) wait(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-g.failed:
			return err
		case s := <-g.o.Signals:
			g.obey(ctx, s)
		}
	}
}

// obey does what a signal stands for.
func (g *gateway) obey(ctx context.Context, s os.Signal) {
	if s == syscall.SIGUSR1 {
		g.chatter()
		return
	}
	guarded(g.log, "reload", func() {
		if err := g.reload(ctx); err != nil {
			g.log.Error("reload", zap.Error(err)) // what was in force stays
		}
	})
}

// chatter switches the log level to debug, or back to log.level.
func (g *gateway) chatter() {
	if g.o.Level == (zap.AtomicLevel{}) {
		return // the logger was given without its level
	}
	before, after := g.o.Level.Level(), zapcore.DebugLevel
	if before == after {
		after, _ = zapcore.ParseLevel(g.live.Load().Log.Level) // valid since it was loaded
	}
	g.o.Level.SetLevel(after)
	g.log.Warn("log level changed", zap.Stringer("from", before), zap.Stringer("to", after))
}

// reload reads the policy and the configuration again. Each counts on its own: a broken one leaves the old one in force.
func (g *gateway) reload(ctx context.Context) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	err := g.engine.Reload(ctx)
	if err == nil {
		g.log.Info("policy was read again", zap.String("revision", g.engine.Revision()))
	}
	if g.candidate != nil {
		if broken := g.candidate.Reload(ctx); broken != nil { // changes no decision
			g.log.Warn("the shadow policy was not read again", zap.Error(broken))
		}
	}
	if g.o.Load == nil {
		return err
	}
	return errors.Join(err, g.reconfigure())
}

// reconfigure reads the configuration again, and counts and remembers whether it is in force. The caller holds reloading.
func (g *gateway) reconfigure() error {
	err := g.reapply()
	g.table.failed(err)
	g.reloads.done(err)
	return err
}

// reapply reads the configuration again and applies what can be applied to a running gateway.
func (g *gateway) reapply() error {
	next, err := g.o.Load()
	if err != nil {
		return fmt.Errorf("read the configuration again: %w", err)
	}
	effective, applied, pending := configs.Reload(*g.live.Load(), next.Config)
	if len(applied) > 0 {
		if issues := configs.Validate(effective); len(issues) > 0 {
			return fmt.Errorf("apply the configuration: %w", issues)
		}
		if err := g.replace(&effective); err != nil {
			return fmt.Errorf("apply the configuration: %w", err)
		}
		g.log.Info("the configuration has changed", zap.Strings("keys", applied))
	}
	if len(pending) > 0 {
		g.log.Warn("the configuration has changed; restart to apply it", zap.Strings("keys", pending))
	}
	return nil
}

// failed notes why the latest configuration is not in force; nil says that it is.
func (t *table) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failure = err
}

// reloads counts how often the configuration was read again.
type reloads struct {
	ok, failed prometheus.Counter
	last       prometheus.Gauge
}

func newReloads(r prometheus.Registerer) reloads {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sark_app_config_reloads_total", Help: "How often the configuration was read again, by result."}, []string{"result"})
	last := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sark_app_config_in_force", Help: "Whether the configuration that was read last is in force: 0 while a broken one leaves the old one."})
	r.MustRegister(total, last)
	last.Set(1)
	return reloads{ok: total.WithLabelValues("ok"), failed: total.WithLabelValues("failed"), last: last}
}

func (r reloads) done(err error) {
	if err != nil {
		r.failed.Inc()
		r.last.Set(0)
		return
	}
	r.ok.Inc()
	r.last.Set(1)
}
