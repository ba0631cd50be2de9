package cachemw_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sark/cachemw"
)

// deaf is a backend whose invalidations fail for a while.
type deaf struct {
	cachemw.Backend
	until time.Time
}

func (d deaf) err() error {
	if time.Now().Before(d.until) {
		return errors.New("unreachable")
	}
	return nil
}

func (d deaf) Invalidate(ctx context.Context, server string) error {
	return errors.Join(d.err(), d.Backend.Invalidate(ctx, server))
}

func (d deaf) InvalidateAll(ctx context.Context) error {
	return errors.Join(d.err(), d.Backend.InvalidateAll(ctx))
}

// TestOwedInvalidation: while an invalidation is not certain nothing of the server is served, and it is tried again.
func TestOwedInvalidation(t *testing.T) {
	for name, purge := range map[string]func(c *cachemw.Cache) error{
		"one server": func(c *cachemw.Cache) error { return c.Invalidate(context.Background(), "a") },
		"all":        func(c *cachemw.Cache) error { return c.InvalidateAll(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, err := cachemw.NewMemory(cachemw.MemoryOptions{})
				if err != nil {
					t.Fatal(err)
				}
				c, err := cachemw.New(cachemw.Options{Backend: deaf{memory, time.Now().Add(2500 * time.Millisecond)}})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				if c.Generation("a") == 0 || purge(c) == nil {
					t.Fatal("the invalidation did not fail")
				}
				for at, want := range []bool{false, false, false, true} {
					synctest.Wait()
					if got := c.Generation("a") != 0; got != want {
						t.Errorf("after %d s: usable %v, want %v", at, got, want)
					}
					if other := c.Generation("b") != 0; name == "one server" && !other {
						t.Errorf("after %d s: the other server pays", at)
					}
					time.Sleep(time.Second)
				}
			})
		})
	}
}
