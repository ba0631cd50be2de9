package spool_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/store/spool"
)

// follow reads with a cursor until there is nothing new, and returns the numbers it got, and the number that is next.
func follow(t *testing.T, c *spool.Cursor, after int64) (got []int64, next int64) {
	t.Helper()
	for {
		tuples, n, err := c.Read(after, 7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(tuples) == 0 {
			return got, n
		}
		for _, tuple := range tuples {
			_, seq, _, err := audit.Place(tuple)
			if err != nil {
				t.Fatal(err)
			}
			got, after = append(got, seq), seq
		}
	}
}

// TestCursor follows the spool beside its consumer: over the ends of segments, and to where segments were dropped.
func TestCursor(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir(), SegmentBytes: 8 << 10})
	c := s.NewCursor()
	defer c.Close() //nolint:errcheck // opened for reading
	add := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			record(t, s, n)
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	compare := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	span := func(first, last int64) (list []int64) {
		for n := first; n <= last; n++ {
			list = append(list, n)
		}
		return list
	}

	add(0, 40)
	got, next := follow(t, c, 0)
	compare("events from the beginning", span(1, 40), got)
	compare("the next", int64(41), next)
	add(40, 50)
	got, _ = follow(t, c, 40)
	compare("new events", span(41, 50), got)
	got, _ = follow(t, c, 17)
	compare("events from the middle", span(18, 50), got)

	if err := s.Drop(50); err != nil {
		t.Fatal(err)
	}
	add(50, 60)
	got, next = follow(t, c, 3)
	compare("events that were dropped", []int64(nil), got)
	if next <= 4 || next > 51 {
		t.Fatalf("the next event that the spool has is %d", next)
	}
	got, _ = follow(t, c, next-1)
	compare("events from there on", span(next, 60), got)
}
