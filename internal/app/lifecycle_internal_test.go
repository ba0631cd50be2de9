package app

import (
	"context"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
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
