package storetest

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// writer is the chain of the suite's events.
var writer = uuid.MustParse("6f2d5a52-3c0e-4f4e-9d59-0b6f3a8f1c11")

// fill stores n events of the series in batches and returns their tuples.
func fill(t *testing.T, s Store, n int) [][]byte {
	t.Helper()
	tuples := Sealed(writer, n)
	for i := 0; i < n; i += 7 {
		end := min(i+7, n)
		must(t, s.AppendEvents(t.Context(), writer, int64(i), int64(end), tuples[i:end]))
	}
	return tuples
}

// all walks through all pages of a filter.
func all(t *testing.T, s Store, f store.EventFilter) []audit.Event {
	t.Helper()
	var list []audit.Event
	for {
		page, err := s.Events(t.Context(), f)
		must(t, err)
		list = append(list, page.Items...)
		if page.HasMore != (page.NextCursor != "") || len(page.Items) > f.PageSize() {
			t.Fatalf("page of %d items, more %v, cursor %q", len(page.Items), page.HasMore, page.NextCursor)
		}
		if !page.HasMore {
			return list
		}
		f.Cursor = page.NextCursor
	}
}

func eventsComeBackUnchanged(t *testing.T, s Store) {
	tuples := fill(t, s, 20)
	bare := audit.Event{ID: audit.NewID(Epoch.AddDate(1, 0, 0)), Time: Epoch.AddDate(1, 0, 0), IP: netip.MustParseAddr("2001:db8::1")}
	_, _, head, err := audit.Place(tuples[19])
	must(t, err)
	tuple := audit.AppendTuple(nil, &bare)
	audit.NewChain(writer, 20, head).Seal(tuple)
	must(t, s.AppendEvents(t.Context(), writer, 20, 21, [][]byte{tuple}))

	got := all(t, s, store.EventFilter{})

	slices.Reverse(got)
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	for i := range got {
		if err := chain.Verify(audit.AppendTuple(nil, &got[i])); err != nil {
			t.Fatalf("event %d of %d: %v", i, len(got), err)
		}
	}
	if len(got) != 21 {
		t.Errorf("%d events, want 21", len(got))
	}
}

func appendIsFenced(t *testing.T, s Store) {
	tuples := fill(t, s, 5)
	if err := s.AppendEvents(t.Context(), writer, 0, 5, tuples); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the same batch again: error %v", err)
	}
	if err := s.AppendEvents(t.Context(), writer, 4, 6, tuples[:1]); !errors.Is(err, store.ErrFenced) {
		t.Errorf("after another offset: error %v", err)
	}
	if err := s.AppendEvents(t.Context(), uuid.New(), 3, 4, nil); !errors.Is(err, store.ErrFenced) {
		t.Errorf("an unknown writer that does not begin: error %v", err)
	}
	must(t, s.AppendEvents(t.Context(), writer, 5, 9, nil)) // lost numbers are passed over
	offset, err := s.Offset(t.Context(), writer)
	must(t, err)
	if got := len(all(t, s, store.EventFilter{})); offset != 9 || got != 5 {
		t.Errorf("offset %d and %d events, want 9 and 5", offset, got)
	}
	if offset, err = s.Offset(t.Context(), uuid.New()); err != nil || offset != 0 {
		t.Errorf("an unknown writer has the offset %d, error %v", offset, err)
	}
}

func appendIsAtomic(t *testing.T, s Store) {
	tuples := Sealed(writer, 4)
	tuples[2] = tuples[1] // the same id and time twice
	err := s.AppendEvents(t.Context(), writer, 0, 4, tuples)
	if !errors.Is(err, store.ErrBadRow) {
		t.Errorf("a row that cannot be stored: error %v", err)
	}
	if err := s.AppendEvents(t.Context(), writer, 0, 1, [][]byte{{1, 2, 3}}); !errors.Is(err, store.ErrBadRow) {
		t.Errorf("bytes that are no tuple: error %v", err)
	}
	offset, err := s.Offset(t.Context(), writer)
	must(t, err)
	if got := len(all(t, s, store.EventFilter{})); offset != 0 || got != 0 {
		t.Errorf("offset %d and %d events after failed batches", offset, got)
	}
}

// numbers are the events' places in the series.
func numbers(events []audit.Event) []int64 {
	var list []int64
	for _, e := range events {
		list = append(list, e.Seq-1)
	}
	return list
}

func eventPages(t *testing.T, s Store) {
	fill(t, s, 20)
	var want []int64
	for n := range int64(20) {
		want = append(want, 19-n)
	}
	for _, limit := range []int{0, 1, 6, 10, 20, 21} {
		if diff := cmp.Diff(want, numbers(all(t, s, store.EventFilter{Limit: limit}))); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	if _, err := s.Events(t.Context(), store.EventFilter{Cursor: "x"}); !errors.Is(err, store.ErrBadCursor) {
		t.Errorf("bad cursor: error %v", err)
	}
	if _, err := s.Events(t.Context(), store.EventFilter{Decision: "perhaps"}); !errors.Is(err, store.ErrBadFilter) {
		t.Errorf("bad decision: error %v", err)
	}
	if _, err := s.Events(t.Context(), store.EventFilter{Severity: []string{"high", "hi"}}); !errors.Is(err, store.ErrBadFilter) {
		t.Errorf("bad severity: error %v", err)
	}
	if _, err := s.Events(t.Context(), store.EventFilter{Limit: -1}); !errors.Is(err, store.ErrBadFilter) {
		t.Errorf("bad limit: error %v", err)
	}
}

func eventFilters(t *testing.T, s Store) {
	const n = 60
	tuples := fill(t, s, n)
	one, err := audit.DecodeTuple(tuples[17])
	must(t, err)
	for name, c := range map[string]struct {
		filter store.EventFilter
		keep   func(n int64) bool
	}{
		"id":          {store.EventFilter{ID: one.ID}, func(n int64) bool { return n == 17 }},
		"exchange":    {store.EventFilter{ExchangeID: one.ExchangeID}, func(n int64) bool { return n == 17 }},
		"decision id": {store.EventFilter{DecisionID: one.DecisionID}, func(n int64) bool { return n == 17 }},
		"user":        {store.EventFilter{UserID: "user-1"}, func(n int64) bool { return n%3 == 1 }},
		"server":      {store.EventFilter{Server: "server-2"}, func(n int64) bool { return n%4 == 2 }},
		"server id":   {store.EventFilter{Server: uuid.NewString()}, func(int64) bool { return false }},
		"tool":        {store.EventFilter{Tool: "tool-4"}, func(n int64) bool { return n%5 == 4 }},
		"decision":    {store.EventFilter{Decision: "deny"}, func(n int64) bool { return n%4 == 3 }},
		"outcome":     {store.EventFilter{Outcome: "allowed"}, func(n int64) bool { return n%4 != 3 }},
		"type":        {store.EventFilter{EventType: "authorization_denied"}, func(n int64) bool { return n%4 == 3 }},
		"severity":    {store.EventFilter{Severity: []string{"medium"}}, func(n int64) bool { return n%4 == 3 }},
		"severities":  {store.EventFilter{Severity: []string{"low", "medium"}, Tool: "tool-1"}, func(n int64) bool { return n%5 == 1 }},
		"urgent":      {store.EventFilter{Severity: []string{"high", "critical"}}, func(int64) bool { return false }},
		"address":     {store.EventFilter{IP: netip.MustParseAddr("10.1.0.5")}, func(n int64) bool { return n == 5 }},
		"the rest": {
			store.EventFilter{Action: "tool:invoke", Rule: "rbac.grant", Phase: string(one.Phase), SessionID: "5f1e", TraceID: one.TraceID, UserID: "user-2"},
			func(n int64) bool { return n%3 == 2 },
		},
		"another session": {store.EventFilter{SessionID: "5f1f"}, func(int64) bool { return false }},
		"time": {
			store.EventFilter{From: Epoch.Add(10 * time.Second), To: Epoch.Add(20 * time.Second)},
			func(n int64) bool { return n >= 10 && n < 20 },
		},
		"several": {
			store.EventFilter{UserID: "user-0", Decision: "deny", From: Epoch.Add(20 * time.Second)},
			func(n int64) bool { return n%12 == 3 && n >= 20 },
		},
	} {
		var want []int64
		for i := int64(n - 1); i >= 0; i-- {
			if c.keep(i) {
				want = append(want, i)
			}
		}
		c.filter.Limit = 4
		if diff := cmp.Diff(want, numbers(all(t, s, c.filter)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
