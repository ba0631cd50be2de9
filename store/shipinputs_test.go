package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/store"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// TestInputsRideTheSpool: the inputs of decisions get into the database before their events, once, whatever fails on the way,
// and one that the database can never take costs itself alone.
func TestInputsRideTheSpool(t *testing.T) {
	dir := t.TempDir()
	broken := &trouble{}
	h := build(t, dir, func(db *sqlite.DB) store.Sink { broken.DB = db; return broken })
	broken.before.Store(1)
	broken.after.Store(2)
	const n = 40
	var want []store.DecisionInput
	for i := range n {
		at := storetest.Epoch.Add(time.Duration(i) * time.Second)
		in := audit.Input{DecisionID: audit.NewID(at), Time: at, Allow: i%2 == 0, Revision: "r", Rule: "rbac", Document: []byte(`{"n":1}`)}
		if i == 7 {
			in.Document = []byte("{")
		} else {
			want = append(want, store.DecisionInput{DecisionID: in.DecisionID, Timestamp: at, PolicyRevision: "r", Input: in.Document, Allow: in.Allow, Rule: "rbac"})
		}
		h.spool.RecordInput(&in)
		h.record(t, audit.Event{ID: audit.NewID(at), Time: at, Severity: audit.SeverityLow, Phase: audit.PhaseSingle, DecisionID: in.DecisionID})
	}
	check(t, h.shipper.Flush(t.Context()))

	var got []store.DecisionInput
	for in, err := range h.db.DecisionInputs(t.Context(), storetest.Epoch) {
		check(t, err)
		got = append(got, in)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	if rows := h.rows(t); len(rows) != n {
		t.Errorf("%d events, want %d", len(rows), n)
	}
}
