package redisguard

// These tests use the breaker itself, because real servers cannot be slow by an exact time.

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// errDown and errReply are an error that means trouble, and one that does not.
var (
	errDown  = errors.New("connection refused")
	errReply = errors.New("ERR syntax error")
)

// testBreaker returns a breaker with a limit of a second, and the time that its probe takes.
func testBreaker(t *testing.T) (*Breaker, *atomic.Int64) {
	var probe atomic.Int64
	b := newBreaker(options{
		limit: time.Second, health: time.Minute,
		probe:   func(ctx context.Context) error { return pass(ctx, time.Duration(probe.Load())) },
		trouble: func(err error) bool { return !errors.Is(err, errReply) },
	})
	t.Cleanup(b.Close)
	return b, &probe
}

// pass lets some time pass, or returns an error when ctx is done before.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestBreakerOpens(t *testing.T) {
	departed, leave := context.WithCancel(context.Background())
	leave()
	for name, c := range map[string]struct {
		ctx       context.Context
		operation func(ctx context.Context) error
		opens     bool
		costs     time.Duration
	}{
		"success":         {operation: func(ctx context.Context) error { return pass(ctx, time.Second/2) }, costs: time.Second / 2},
		"slow success":    {operation: func(ctx context.Context) error { return pass(ctx, 501*time.Millisecond) }, opens: true, costs: 501 * time.Millisecond},
		"no answer":       {operation: func(ctx context.Context) error { return pass(ctx, time.Hour) }, opens: true, costs: time.Second},
		"gone":            {operation: func(context.Context) error { return errDown }, opens: true},
		"dislikes it":     {operation: func(context.Context) error { return errReply }},
		"client departed": {ctx: departed, operation: func(ctx context.Context) error { return ctx.Err() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := testBreaker(t)
				ctx := c.ctx
				if ctx == nil {
					ctx = context.Background()
				}
				start := time.Now()
				_ = b.Do(ctx, c.operation)
				if took := time.Since(start); took != c.costs {
					t.Errorf("took %s, want %s", took, c.costs)
				}
				if got := b.Err() != nil; got != c.opens {
					t.Errorf("open: %v (%v), want %v", got, b.Err(), c.opens)
				}
				start = time.Now()
				err := b.Do(context.Background(), func(context.Context) error { return nil })
				if errors.Is(err, ErrOpen) != c.opens || time.Since(start) != 0 {
					t.Errorf("the next operation: %v after %s", err, time.Since(start))
				}
			})
		})
	}
}

// TestBreakerCloses shows when the backend is asked again: once a probe is answered soon enough.
func TestBreakerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, probe := testBreaker(t)
		var got []bool
		after := func(d time.Duration) {
			_ = pass(context.Background(), d)
			synctest.Wait()
			got = append(got, b.Err() == nil)
		}
		probe.Store(int64(time.Hour))
		_ = b.Do(context.Background(), func(context.Context) error { return errDown })
		after(10 * time.Second)
		probe.Store(int64(501 * time.Millisecond))
		after(10 * time.Second)
		probe.Store(0)
		after(700 * time.Millisecond)
		if diff := cmp.Diff([]bool{false, false, true}, got); diff != "" {
			t.Error(diff)
		}
		if n := b.trips.Load(); n != 1 {
			t.Errorf("%d trips, want 1", n)
		}
	})
}

// TestBreakerProbesWhileClosed shows that trouble is noticed without any request.
func TestBreakerProbesWhileClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, probe := testBreaker(t)
		probe.Store(int64(time.Hour))
		_ = pass(context.Background(), 2*time.Minute)
		if b.Err() == nil {
			t.Error("closed")
		}
	})
}

// TestBreakerSurvivesAPanic has a probe that panics: trouble like any other.
func TestBreakerSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(options{
			limit: time.Second, health: time.Minute, probe: func(context.Context) error { panic("oops") },
			trouble: func(error) bool { return true },
		})
		defer b.Close()
		_ = pass(context.Background(), 2*time.Minute)
		if b.Err() == nil {
			t.Error("closed")
		}
	})
}
