package storetest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/store"
)

// forwarded: an event is forwarded when the slowest receiver of its writer has it; receivers that are gone no longer count.
func forwarded(t *testing.T, s Store) {
	fill(t, s, 3)
	other := uuid.New()
	events := all(t, s, store.EventFilter{})
	asked := append(store.Writers(events), other)
	state := func() []any {
		got, err := s.Forwarded(t.Context(), asked)
		must(t, err)
		var marks []any
		for _, e := range got.Mark(events) {
			text, err := json.Marshal(e)
			must(t, err)
			var members map[string]any
			must(t, json.Unmarshal(text, &members))
			marks = append(marks, members["siem_forwarded"])
		}
		return marks // newest first
	}
	for _, step := range []struct {
		what      string
		receivers []store.Receiver
		want      []any
	}{
		{"none", nil, []any{nil, nil, nil}},
		{"two", []store.Receiver{{Name: "soc", Seq: 3}, {Name: "archive", Seq: 1}}, []any{false, false, true}},
		{"the slower one goes on", []store.Receiver{{Name: "soc", Seq: 3}, {Name: "archive", Seq: 2}}, []any{false, true, true}},
		{"the slower one is gone", []store.Receiver{{Name: "soc", Seq: 3}}, []any{true, true, true}},
		{"none any more", nil, []any{nil, nil, nil}},
	} {
		must(t, s.SetForwarded(t.Context(), writer, step.receivers))
		if diff := cmp.Diff(step.want, state()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
	must(t, s.SetForwarded(t.Context(), other, []store.Receiver{{Name: "soc", Seq: 7}}))
	got, err := s.Forwarded(t.Context(), []uuid.UUID{other, writer})
	must(t, err)
	if diff := cmp.Diff(store.Forwarded{other: 7}, got); diff != "" {
		t.Errorf("of another writer (-want +got):\n%s", diff)
	}
}
