package indexes_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
	"sark/store/indexes"
	"sark/store/migrations"
	"sark/store/storetest"
)

// TestUsage counts scans over partitions, and suggests neither an index that was used nor one that keeps rows unique.
func TestUsage(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	storetest.Partitioned(t, url, 2)
	p := open(t, url)
	apply(t, p)
	exec(t, db, "DROP INDEX idx_audit_events_time_id") // else it could serve as well
	for _, day := range []string{"2026-11-23", "2026-11-24"} {
		scan, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{
			"SET enable_seqscan = off",
			`SELECT count(*) FROM audit_events WHERE user_id = 'ana' AND "timestamp" BETWEEN '` + day + ` 10:00' AND '` + day + ` 11:00'`,
			"SELECT pg_stat_force_next_flush()", "SELECT 1",
		} {
			if _, err := scan.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if err := scan.Close(); err != nil {
			t.Fatal(err)
		}
	}

	usage, err := p.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(usage, func(u indexes.Usage) bool { return u.Scans > 0 && u.Table == "audit_events" })
	if at < 0 || usage[at].Bytes == 0 {
		t.Fatalf("no scan was counted, or the index has no size: %+v", usage)
	}
	usage[at].Bytes = 0
	want := indexes.Usage{Table: "audit_events", Index: "idx_audit_events_user_time", Scans: 2, Parts: 3, Serves: "trail of a user"}
	if diff := cmp.Diff(want, usage[at]); diff != "" {
		t.Errorf("most used (-want +got):\n%s", diff)
	}
	var unused []string
	for _, u := range indexes.Unused(usage) {
		unused = append(unused, u.Index)
	}
	slices.Sort(unused)
	others := slices.DeleteFunc(names(), func(n string) bool { return n == "idx_audit_events_user_time" || n == "idx_audit_events_time_id" })
	slices.Sort(others)
	if diff := cmp.Diff(others, unused); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

// TestCounting tells since when the database counts, once that was reset.
func TestCounting(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	p := open(t, url)
	exec(t, db, "SELECT pg_stat_reset()")
	since, known, err := p.Counting(t.Context())
	if age := time.Since(since); err != nil || !known || age < -time.Minute || age > time.Hour {
		t.Errorf("since %v, known %v, error %v", fmt.Sprint(since), known, err)
	}
}
