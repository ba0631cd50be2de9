package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/store"
)

// oneEvent is a source that always has the same event to ship.
type oneEvent struct{ writer uuid.UUID }

func (s oneEvent) Writer() uuid.UUID          { return s.writer }
func (s oneEvent) Last() int64                { return 1 }
func (s oneEvent) Sync() error                { return nil }
func (s oneEvent) Wake() <-chan struct{}      { return nil }
func (s oneEvent) Advance(int64, int64) error { return nil }
func (s oneEvent) Droppable(int64) bool       { return false }
func (s oneEvent) Drop(int64) error           { return nil }

func (s oneEvent) Read(after int64, _ int) ([][]byte, int64, error) {
	if after > 0 {
		return nil, after, nil
	}
	return [][]byte{{}}, 1, nil
}

// closed is a sink that refuses until a time, and says when it took the event.
type closed struct {
	until time.Time
	took  chan time.Time
}

func (s closed) Offset(context.Context, uuid.UUID) (int64, error) { return 0, nil }

func (s closed) AppendEvents(context.Context, uuid.UUID, int64, int64, [][]byte) error {
	if now := time.Now(); !now.Before(s.until) {
		s.took <- now
		return nil
	}
	return errors.New("locked")
}

// TestLongestPause keeps a sink closed for ten minutes, after which the pauses are as long as they become.
func TestLongestPause(t *testing.T) {
	for _, longest := range []time.Duration{time.Second, store.DefaultPause} {
		synctest.Test(t, func(t *testing.T) {
			sink := closed{time.Now().Add(10 * time.Minute), make(chan time.Time, 1)}
			s, err := store.NewShipper(store.ShipperOptions{
				Source: oneEvent{uuid.New()}, Sink: sink, DeadDir: t.TempDir(), LongestPause: longest, Log: zap.NewNop(),
			})
			check(t, err)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- s.Run(ctx) }()
			if late := (<-sink.took).Sub(sink.until); late > longest {
				t.Errorf("stored %v after the sink was open, with pauses of up to %v", late, longest)
			}
			stop()
			check(t, <-done)
		})
	}
}
