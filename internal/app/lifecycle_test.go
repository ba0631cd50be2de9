package app // The lifecycle is not exported: what it promises cannot be seen from outside without breaking a part.

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

func TestStopsRunBackwards(t *testing.T) {
	var order []string
	listener, spool := errors.New("a call was cut"), errors.New("disk full")
	part := func(name string, err error) func(context.Context) error {
		return func(ctx context.Context) error {
			order = append(order, name)
			if ctx == nil {
				t.Errorf("%s got no context", name)
			}
			return err
		}
	}
	life := lifecycle{log: zap.NewNop()}
	life.onStop("store", part("store", nil))
	life.onStop("spool", part("spool", spool))
	life.onStop("policy", part("policy", nil))
	life.onStop("listener", part("listener", listener))

	err := life.stop(t.Context())

	if diff := cmp.Diff([]string{"listener", "policy", "spool", "store"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if !errors.Is(err, listener) || !errors.Is(err, spool) {
		t.Errorf("error %v does not hold both causes", err)
	}
	if diff := cmp.Diff("stop listener: a call was cut\nstop spool: disk full", err.Error()); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestSecondStopDoesNothing(t *testing.T) {
	stopped := 0
	life := lifecycle{log: zap.NewNop()}
	life.onStop("part", func(context.Context) error { stopped++; return errors.New("no") })

	first, second := life.stop(t.Context()), life.stop(t.Context())

	if first == nil || second != nil || stopped != 1 {
		t.Errorf("first %v, second %v, stopped %d times", first, second, stopped)
	}
}
