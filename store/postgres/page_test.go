package postgres_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/storetest"
)

// TestPageLeavesLaterDaysOut asks for what comes after a cursor of the second of six days: the partitions and the chunks of
// later days are not opened.
func TestPageLeavesLaterDaysOut(t *testing.T) {
	for name, test := range map[string]struct {
		url  func(testing.TB) string
		part *regexp.Regexp
		want int
	}{
		"partitions": {testkit.Postgres, regexp.MustCompile(`audit_events_p\d+`), 2},
		"chunks":     {testkit.Timescale, regexp.MustCompile(`_hyper_\d+_\d+_chunk`), 2},
	} {
		t.Run(name, func(t *testing.T) {
			url := test.url(t)
			d := open(t, postgres.Options{URL: url, PoolSize: 1})
			if name == "partitions" {
				storetest.Partitioned(t, url, 6)
			}
			buildIndexes(t, url)
			first := storetest.Epoch.Truncate(24 * time.Hour)
			tuples := storetest.Spread(storetest.Event(0).ID, first, 6*time.Hour, 24)
			if err := d.AppendEvents(t.Context(), storetest.Event(0).ID, 0, 24, tuples); err != nil {
				t.Fatal(err)
			}
			at := first.Add(36 * time.Hour)
			sql, args, err := postgres.EventQuery(store.EventFilter{
				Cursor: store.Cursor{Time: at, ID: storetest.Event(0).ID}.Encode("events"),
			})
			if err != nil {
				t.Fatal(err)
			}

			plan := rowsOf(t, connect(t, url), "EXPLAIN (COSTS OFF) "+sql, args...)

			parts := test.part.FindAllString(fmt.Sprint(plan), -1)
			slices.Sort(parts)
			parts = slices.Compact(parts)
			if diff := cmp.Diff(test.want, len(parts)); diff != "" {
				t.Errorf("parts that are read (-want +got):\n%s%q\n%q", diff, parts, plan)
			}
		})
	}
}
