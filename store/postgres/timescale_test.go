package postgres_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/migrations"
	"sark/store/postgres"
	"sark/store/storetest"
)

// days returns n sealed events, one a quarter of a day.
func days(writer uuid.UUID, n int) [][]byte {
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	tuples := make([][]byte, n)
	for i := range tuples {
		e := storetest.Event(i)
		e.Time = storetest.Epoch.Add(time.Duration(i) * 6 * time.Hour)
		e.ID = audit.NewID(e.Time)
		tuples[i] = audit.AppendTuple(nil, &e)
		chain.Seal(tuples[i])
	}
	return tuples
}

// TestTimescale takes a trail through the life that it has on TimescaleDB: plain table with rows, hypertable, compressed
// chunks, dropped chunks.
func TestTimescale(t *testing.T) {
	url := testkit.Timescale(t)
	d := open(t, postgres.Options{URL: url, PoolSize: 1})
	if d.Mode() != migrations.ModeTimescale {
		t.Fatalf("mode %s", d.Mode())
	}
	writer := storetest.Event(0).ID
	tuples := days(writer, 80)
	add := func(from, to int) {
		t.Helper()
		if err := d.AppendEvents(t.Context(), writer, int64(from), int64(to), tuples[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	add(0, 40)
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // closed for good with its server
	for _, o := range []migrations.EnsureOptions{
		{CompressAfter: 24 * time.Hour}, {CompressAfter: 7 * 24 * time.Hour}, {},
	} {
		ensure(t, db, o)
	}
	ensure(t, db, migrations.EnsureOptions{CompressAfter: 7 * 24 * time.Hour})
	add(40, 60)
	count := func(query string) (n int) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return n
	}
	compressed := count(`SELECT count(compress_chunk(c)) FROM show_chunks('audit_events', older_than => '2026-12-01'::timestamptz) c`)
	if _, err := db.ExecContext(t.Context(), `ALTER TABLE audit_events ADD COLUMN hindsight text`); err != nil {
		t.Errorf("add a column to compressed chunks, as a later version may: %v", err)
	}
	add(60, 80)

	verifyChain(t, d, writer, 80)
	page, err := d.Events(t.Context(), store.EventFilter{ID: uuid.UUID(tuples[2][6:22])})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("an event of a compressed chunk by its id: %d found, error %v", len(page.Items), err)
	}
	dropped := count(`SELECT count(*) FROM drop_chunks('audit_events', older_than => '2026-11-30'::timestamptz)`)
	got := []int{compressed, dropped, count(`SELECT count(*) FROM show_chunks('audit_events')`)}
	if diff := cmp.Diff([]int{8, 7, 14}, got); diff != "" {
		t.Errorf("chunks compressed, dropped, left (-want +got):\n%s", diff)
	}
	if err := d.AppendEvents(t.Context(), writer, 0, 10, tuples[:10]); err == nil {
		t.Error("a batch was stored twice")
	}
}

// TestTimescaleKeepsItself lets the server count, and the gateway remove whole chunks for their age.
func TestTimescaleKeepsItself(t *testing.T) {
	url := testkit.Timescale(t)
	d := open(t, postgres.Options{URL: url, PoolSize: 1, CompressAfter: 7 * 24 * time.Hour}) // makes all of an empty trail
	writer := storetest.Event(0).ID
	first := storetest.Epoch.Truncate(24*time.Hour).AddDate(0, -2, 0)
	tuples := storetest.Spread(writer, first, 6*time.Hour, 40)
	append10 := func(i int) {
		t.Helper()
		if err := d.AppendBatch(t.Context(), store.Batch{
			Writer: writer, After: int64(i), Last: int64(i + 10), Tuples: tuples[i : i+10],
			Digest: &store.Digest{
				Writer: writer, First: int64(i + 1), Last: int64(i + 10), CreatedAt: first.Add(time.Duration(i+10) * 6 * time.Hour),
				KeyID: "k", Signature: []byte{1},
			},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 30; i += 10 {
		append10(i)
	}
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // closed for good with its server
	if left, err := migrations.EnsurePlan(t.Context(), db, migrations.EnsureOptions{CompressAfter: 7 * 24 * time.Hour}); err != nil || len(left) > 0 {
		t.Fatalf("still to do: %v, error %v", left, err)
	}
	refresh := func() { // no background worker does it here
		t.Helper()
		if _, err := db.ExecContext(t.Context(), `CALL refresh_continuous_aggregate('audit_rollups_hourly', NULL, NULL)`); err != nil {
			t.Fatal(err)
		}
	}
	count := func() (n int64) {
		t.Helper()
		page, err := d.Rollups(t.Context(), store.RollupFilter{Bucket: store.BucketDay})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			n += r.Events
		}
		return n
	}
	live := count()
	refresh()
	append10(30)
	refresh()
	counted := count()
	if hours, err := d.DirtyHours(t.Context(), 10); err != nil || len(hours) != 0 {
		t.Errorf("the gateway counts too: %v, error %v", hours, err)
	}

	mark := store.NewRetentionMark(storetest.Key(t), first.AddDate(0, 0, 6), "audit.retention: 24h0m0s", time.Now())
	var removed store.Removed
	for more := true; more; {
		step, err := d.Expire(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		removed.Rows, removed.Chunks, more = removed.Rows+step.Rows, removed.Chunks+step.Chunks, step.More
	}
	refresh()

	// Event 20 is the last of the sixth day, but its batch was stored on the eighth: the sixth day stays.
	if diff := cmp.Diff(store.Removed{Rows: 20, Chunks: 5}, removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{30, 40, 20}, []int64{live, counted, count()}); diff != "" {
		t.Errorf("counted at once, after a refresh, after retention (-want +got):\n%s", diff)
	}
}

// ensure ensures, and then finds nothing left to do.
func ensure(t *testing.T, db *sql.DB, o migrations.EnsureOptions) {
	t.Helper()
	planned, err := migrations.EnsurePlan(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	ran, err := migrations.Ensure(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(planned, ran); diff != "" {
		t.Errorf("%+v (-planned +ran):\n%s", o, diff)
	}
	if again, err := migrations.EnsurePlan(t.Context(), db, o); err != nil || len(again) != 0 {
		t.Errorf("%+v: still to do: %v, error %v", o, again, err)
	}
}

func BenchmarkAppendEventsTimescale(b *testing.B) {
	url := testkit.Timescale(b)
	d := open(b, postgres.Options{URL: url, PoolSize: 1})
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // closed for good with its server
	if _, err := migrations.Ensure(b.Context(), db, migrations.EnsureOptions{}); err != nil {
		b.Fatal(err)
	}
	appendBatches(b, d, 1000)
}
