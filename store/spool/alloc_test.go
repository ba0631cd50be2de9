//go:build !race

package spool_test

import (
	"testing"

	"sark/store/spool"
	"sark/store/storetest"
)

// The race detector makes sync.Pool forget at random, so that this cannot be counted under it.

func TestRecordAllocatesNothing(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir(), Durability: spool.Written})
	e := storetest.Event(0)
	n := testing.AllocsPerRun(1000, func() {
		ticket, err := s.Reserve(&e)
		if err != nil {
			t.Fatal(err)
		}
		ticket.Record(&e)
	})
	if n > 0.1 { // a collection may empty the pool
		t.Errorf("%v allocations per recorded call", n)
	}
}
