package cachemw_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
)

// TestFlightShares has many ask at once: one goes upstream, all get its answer.
func TestFlightShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flights cachemw.Flights
		var upstream, answered atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				f, ctx := flights.Join(context.Background(), cachemw.Key{1}, 7)
				if f.Leads() {
					upstream.Add(1)
					synctestSleep(ctx, time.Second)
					f.Land(cachemw.Entry{Body: []byte("answer")}, true)
					return
				}
				defer f.Leave()
				if e, ok := f.Wait(ctx); ok && string(e.Body) == "answer" {
					answered.Add(1)
				}
			})
		}
		wg.Wait()
		if diff := cmp.Diff([]int64{1, 49}, []int64{upstream.Load(), answered.Load()}); diff != "" {
			t.Error(diff)
		}
		if f, _ := flights.Join(context.Background(), cachemw.Key{1}, 7); !f.Leads() {
			t.Error("a flight that has landed can still be joined")
		}
	})
}

// synctestSleep passes time in a bubble.
func synctestSleep(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

func TestFlightsAreApart(t *testing.T) {
	var flights cachemw.Flights
	ctx := context.Background()
	for _, q := range []struct {
		key        byte
		generation uint64
	}{{1, 1}, {2, 1}, {1, 2}} {
		if f, _ := flights.Join(ctx, cachemw.Key{q.key}, q.generation); !f.Leads() {
			t.Errorf("key %d of generation %d joined another flight", q.key, q.generation)
		}
	}
}

func TestFlightDoesNotShareErrors(t *testing.T) {
	var flights cachemw.Flights
	ctx := context.Background()
	leader, _ := flights.Join(ctx, cachemw.Key{}, 1)
	follower, _ := flights.Join(ctx, cachemw.Key{}, 1)
	leader.Land(cachemw.Entry{}, false)
	leader.Land(cachemw.Entry{Body: []byte("too late")}, true)
	if e, ok := follower.Wait(ctx); ok {
		t.Errorf("got %q", e.Body)
	}
}

// TestFlightKeepsToTheDeadline has a follower whose own deadline comes before the answer.
func TestFlightKeepsToTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flights cachemw.Flights
		leader, _ := flights.Join(context.Background(), cachemw.Key{}, 1)
		defer leader.Land(cachemw.Entry{}, false)
		own, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		follower, ctx := flights.Join(own, cachemw.Key{}, 1)
		defer follower.Leave()
		start := time.Now()
		if _, ok := follower.Wait(ctx); ok || time.Since(start) != time.Second {
			t.Errorf("Wait = %v after %s, want false after a second", ok, time.Since(start))
		}
	})
}

// TestFlightOutlivesItsLeader has the leader's client leave first, and the last one end the flight.
func TestFlightOutlivesItsLeader(t *testing.T) {
	var flights cachemw.Flights
	client, gone := context.WithCancel(context.Background())
	leader, flying := flights.Join(client, cachemw.Key{}, 1)
	a, _ := flights.Join(context.Background(), cachemw.Key{}, 1)
	b, _ := flights.Join(context.Background(), cachemw.Key{}, 1)
	var got []bool
	over := func() { got = append(got, flying.Err() != nil) }
	gone()
	leader.Leave()
	over()
	a.Leave()
	a.Leave() // Twice is once.
	over()
	b.Leave()
	over()
	if diff := cmp.Diff([]bool{false, false, true}, got); diff != "" {
		t.Error(diff)
	}
	if next, _ := flights.Join(context.Background(), cachemw.Key{}, 1); !next.Leads() {
		t.Error("a flight that is over can still be joined")
	}
	leader.Land(cachemw.Entry{}, false)
	if next, _ := flights.Join(context.Background(), cachemw.Key{}, 1); next.Leads() {
		t.Error("the landing of an old flight ended the next one")
	}
}

// TestFlightKeepsValues shows that the leader's context carries the request's values, such as its trace.
func TestFlightKeepsValues(t *testing.T) {
	type name struct{}
	var flights cachemw.Flights
	f, ctx := flights.Join(context.WithValue(context.Background(), name{}, "trace"), cachemw.Key{}, 1)
	defer f.Land(cachemw.Entry{}, false)
	if ctx.Value(name{}) != "trace" {
		t.Error("the value is gone")
	}
}

func TestFollowerCannotLand(t *testing.T) {
	var flights cachemw.Flights
	leader, _ := flights.Join(context.Background(), cachemw.Key{}, 1)
	defer leader.Land(cachemw.Entry{}, false)
	follower, _ := flights.Join(context.Background(), cachemw.Key{}, 1)
	defer follower.Leave()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	follower.Land(cachemw.Entry{}, true)
}
