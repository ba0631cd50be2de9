package audit_test

import (
	"testing"

	"sark/internal/audit"
)

// TestWellFormed spoils one field of a tuple after the other: what WellFormed says of it is what DecodeFields says of all.
func TestWellFormed(t *testing.T) {
	e := sampleEvent()
	var fields audit.Fields
	if err := audit.SplitTuple(audit.AppendTuple(nil, &e), &fields); err != nil {
		t.Fatal(err)
	}
	for i, c := range audit.Columns() {
		whole := fields[i]
		for _, spoiled := range [][]byte{whole, nil, {}, {1}, {1, 2}, append(whole[:len(whole):len(whole)], 0), whole[:max(0, len(whole)-1)]} {
			fields[i] = spoiled
			_, err := audit.DecodeFields(&fields)
			if got := audit.WellFormed(c.Type, spoiled); got != (err == nil) {
				t.Errorf("%s %x: WellFormed %v, DecodeFields %v", c.Name, spoiled, got, err)
			}
		}
		fields[i] = whole
	}
}
