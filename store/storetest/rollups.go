package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// Spread returns n sealed tuples of the series, the events a given time apart from the first on.
func Spread(writer uuid.UUID, first time.Time, apart time.Duration, n int) [][]byte {
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	tuples := make([][]byte, n)
	for i := range tuples {
		e := Event(i)
		e.Time = first.Add(time.Duration(i) * apart)
		e.ID = audit.NewID(e.Time)
		tuples[i] = audit.AppendTuple(nil, &e)
		chain.Seal(tuples[i])
	}
	return tuples
}

// recount counts everything that has changed.
func recount(t *testing.T, s Store) {
	t.Helper()
	hours, err := s.DirtyHours(t.Context(), 1000)
	must(t, err)
	for _, hour := range hours {
		must(t, s.Recount(t.Context(), hour))
	}
	left, err := s.DirtyHours(t.Context(), 1000)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("still to count: %v", left)
	}
}

// total is what the rollups of a filter add up to, by their beginning.
func total(t *testing.T, s Store, f store.RollupFilter) map[time.Time]int64 {
	t.Helper()
	page, err := s.Rollups(t.Context(), f)
	must(t, err)
	sum := map[time.Time]int64{}
	for _, r := range page.Items {
		sum[r.Start] += r.Events
	}
	return sum
}

func rollups(t *testing.T, s Store) {
	fill(t, s, 40) // within one hour; servers by 4, tools by 5, so that n and n+20 are alike
	recount(t, s)

	page, err := s.Rollups(t.Context(), store.RollupFilter{Server: "server-3", Tool: "tool-3"})
	must(t, err)

	want := store.RollupPage{Items: []store.Rollup{{
		Start: Epoch, ServerID: "server-3", ServerName: "server-3", ToolName: "tool-3", Decision: "deny", Outcome: "denied",
		Events: 2, DurationUS: 1003 + 1023, UpstreamUS: 1800, BytesIn: 224, BytesOut: 2048,
	}}}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("rollups (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[time.Time]int64{Epoch: 40}, total(t, s, store.RollupFilter{})); diff != "" {
		t.Errorf("events counted (-want +got):\n%s", diff)
	}
}

func rollupFilters(t *testing.T, s Store) {
	must(t, s.AppendEvents(t.Context(), writer, 0, 30, Spread(writer, Epoch, time.Hour, 30))) // from 10:00 to 15:00 of the next day
	recount(t, s)
	day := Epoch.Truncate(24 * time.Hour)
	for name, c := range map[string]struct {
		filter store.RollupFilter
		want   map[time.Time]int64
	}{
		"days":      {store.RollupFilter{Bucket: store.BucketDay}, map[time.Time]int64{day: 14, day.AddDate(0, 0, 1): 16}},
		"part":      {store.RollupFilter{From: Epoch.Add(90 * time.Minute), To: Epoch.Add(121 * time.Minute)}, map[time.Time]int64{Epoch.Add(time.Hour): 1, Epoch.Add(2 * time.Hour): 1}},
		"a day":     {store.RollupFilter{Bucket: store.BucketDay, To: Epoch}, map[time.Time]int64{day: 14}},
		"server id": {store.RollupFilter{Server: uuid.NewString()}, map[time.Time]int64{}},
		"tool":      {store.RollupFilter{Tool: "tool-4", Bucket: store.BucketDay}, map[time.Time]int64{day: 2, day.AddDate(0, 0, 1): 4}},
	} {
		if diff := cmp.Diff(c.want, total(t, s, c.filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, f := range []store.RollupFilter{{Bucket: "week"}, {From: Epoch, To: Epoch}} {
		if _, err := s.Rollups(t.Context(), f); !errors.Is(err, store.ErrBadFilter) {
			t.Errorf("%+v: error %v", f, err)
		}
	}
}

// lateEventsAreCounted stores events of an hour after that hour was counted, and in between what is counted at that moment.
func lateEventsAreCounted(t *testing.T, s Store) {
	tuples := Sealed(writer, 30)
	must(t, s.AppendEvents(t.Context(), writer, 0, 10, tuples[:10]))
	recount(t, s)
	hours, err := s.DirtyHours(t.Context(), 10)
	must(t, err)
	if len(hours) != 0 {
		t.Fatalf("to count: %v", hours)
	}
	must(t, s.AppendEvents(t.Context(), writer, 10, 20, tuples[10:20]))
	must(t, s.Recount(t.Context(), Epoch))
	must(t, s.AppendEvents(t.Context(), writer, 20, 30, tuples[20:]))
	if err := s.AppendEvents(t.Context(), writer, 20, 30, tuples[20:]); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a batch for the second time: error %v", err)
	}
	recount(t, s)
	must(t, s.Recount(t.Context(), Epoch)) // for nothing
	if diff := cmp.Diff(map[time.Time]int64{Epoch: 30}, total(t, s, store.RollupFilter{})); diff != "" {
		t.Errorf("events counted (-want +got):\n%s", diff)
	}
}
