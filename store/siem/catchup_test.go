package siem_test

import (
	"context"
	"errors"
	"testing"

	"sark/store/siem"
)

// TestCatchesUpFromPostgres begins when the spool has dropped nearly everything: what it has no more comes from the database,
// whole and in order, then what is in the spool, and while the database does not answer the lane says so and stays where it is.
func TestCatchesUpFromPostgres(t *testing.T) {
	g, r := newPostgresGateway(t), newReceiver(t)
	for range 6 {
		g.record(t, 50)
		g.ship(t)
	}
	g.record(t, 30) // in the spool alone
	if n := g.segments(t); n > 4 {
		t.Fatalf("the spool still holds %d segments; the test is of what it holds no more", n)
	}
	away := errors.New("the database is away")
	opened, o := 0, g.options(webhook(t, r.URL))
	o.OpenTrail = func(ctx context.Context) (siem.Trail, error) {
		if opened++; opened == 1 {
			return nil, away
		}
		return g.trail(ctx)
	}
	l := open(t, o)

	flush(t, l)

	compare(t, "events that the receiver has", numbers(1, 330), r.taken())
	compare(t, "times that the database was asked for its trail", 2, opened)
	compare(t, "lag", int64(0), l.Lag())
}
