package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sark/configs"
	"sark/internal/admin"
)

// TestBackgroundPanics: a part that panics ends alone, is named in the log, and is nothing that a stop would wait for.
func TestBackgroundPanics(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	l := lifecycle{log: zap.New(core)}
	l.background("clock", func(context.Context) { panic("broken") })

	if err := l.stop(t.Context()); err != nil {
		t.Error(err)
	}

	if n := logs.FilterField(zap.String("part", "clock")).Len(); n != 1 {
		t.Errorf("%d log entries of the panic, want 1: %v", n, logs.All())
	}
}

// TestDrainBeforeTheEnd: proxy.drain_grace counts from when the gateway began to drain, which may be long before it is stopped.
func TestDrainBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health, err := admin.NewHealth(admin.HealthOptions{})
		if err != nil {
			t.Fatal(err)
		}
		health.MarkStarted()
		g := &gateway{log: zap.NewNop(), health: health}
		c := configs.Config{}
		c.Proxy.DrainGrace = 10 * time.Second
		g.live.Store(&c)

		began := time.Now()
		g.drain()
		time.Sleep(7 * time.Second)
		g.drain() // changes nothing
		if err := g.leave(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != c.Proxy.DrainGrace {
			t.Errorf("the gateway goes on for %s, want %s", took, c.Proxy.DrainGrace)
		}
		if s := health.Status(t.Context()); s != admin.StatusDraining {
			t.Errorf("the gateway is %s", s)
		}
	})
}
