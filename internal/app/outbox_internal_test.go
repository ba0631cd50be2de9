package app

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/zap"

	"sark/cachemw"
	"sark/proxy"
	"sark/store"
)

// gone is a database that went away after the write that it has taken.
type gone struct{ changes }

func (gone) PendingChanges(context.Context, int) ([]store.Change, error) {
	return nil, errors.New("the database is away")
}

// TestChangesThatCannotBeRead: when the database goes away between a write and the look at what it has changed, its author is
// told that it is done, and this gateway serves nothing from before.
func TestChangesThatCannotBeRead(t *testing.T) {
	cache, err := cachemw.New(cachemw.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	o := &outbox{db: gone{}, cache: cache, log: zap.NewNop()}
	for _, name := range []string{proxy.APICacheName, "desk"} {
		before := cache.Generation(name)

		o.tell()

		if after := cache.Generation(name); before == after {
			t.Errorf("what is kept of %q is of generation %d after the write, as before", name, after)
		}
	}
}
