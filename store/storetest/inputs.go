package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// input is the nth decision input of the series, one a second.
func input(n int) store.DecisionInput {
	at := Epoch.Add(time.Duration(n) * time.Second)
	return store.DecisionInput{
		DecisionID: audit.NewID(at), Timestamp: at, PolicyRevision: "r1", Allow: n%3 == 0, Rule: "rbac.grant",
		Input: fmt.Appendf(nil, `{"action":"tool:invoke","mcp":{"name":"t%d"}}`, n),
	}
}

func inputsSince(t *testing.T, s Store, since time.Time) []store.DecisionInput {
	t.Helper()
	var got []store.DecisionInput
	for in, err := range s.DecisionInputs(t.Context(), since) {
		must(t, err)
		var plain any // a database may write the document in its own way
		must(t, json.Unmarshal(in.Input, &plain))
		in.Input, _ = json.Marshal(plain)
		got = append(got, in)
	}
	return got
}

func decisionInputs(t *testing.T, s Store) {
	const n = 2*store.InputPage + 3 // more than a page, all of one moment among them
	var want []store.DecisionInput
	for i := range n {
		want = append(want, input(i/2))
	}
	slices.SortFunc(want, func(a, b store.DecisionInput) int {
		if c := a.Timestamp.Compare(b.Timestamp); c != 0 {
			return c
		}
		return slices.Compare(a.DecisionID[:], b.DecisionID[:])
	})
	must(t, s.AppendDecisionInputs(t.Context(), want))
	must(t, s.AppendDecisionInputs(t.Context(), want[:10])) // again, after a failure whose outcome was not known

	if diff := cmp.Diff(want, inputsSince(t, s, time.Time{}.AddDate(1999, 0, 0))); diff != "" {
		t.Errorf("all inputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[600:], inputsSince(t, s, want[600].Timestamp)); diff != "" {
		t.Errorf("inputs since a moment (-want +got):\n%s", diff)
	}
	if gone, err := s.ExpireDecisionInputs(t.Context(), want[4].Timestamp); err != nil || gone != 4 || len(inputsSince(t, s, Epoch)) != len(want)-4 {
		t.Errorf("%d inputs expired, error %v", gone, err)
	}
	for _, err := range s.DecisionInputs(t.Context(), Epoch) {
		must(t, err)
		break // who has read enough stops
	}
	one, ok, err := s.DecisionInput(t.Context(), want[7].DecisionID)
	if err != nil || !ok || one.DecisionID != want[7].DecisionID || !one.Timestamp.Equal(want[7].Timestamp) {
		t.Errorf("one input: %+v, %v, %v", one, ok, err)
	}
	if _, ok, err := s.DecisionInput(t.Context(), uuid.New()); ok || err != nil {
		t.Errorf("the input of no decision: %v, error %v", ok, err)
	}
}

func badDecisionInputs(t *testing.T, s Store) {
	bad := input(1)
	bad.Input = []byte("{")
	if err := s.AppendDecisionInputs(t.Context(), []store.DecisionInput{input(0), bad}); !errors.Is(err, store.ErrBadRow) {
		t.Errorf("an input that is no JSON: error %v", err)
	}
	if got := inputsSince(t, s, Epoch); len(got) != 0 {
		t.Errorf("%d inputs of a failed batch were kept", len(got))
	}
}
