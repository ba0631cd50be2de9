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
		{CompressAfter: 24 * time.Hour}, {CompressAfter: 7 * 24 * time.Hour, Retention: 90 * 24 * time.Hour}, {}, {Retention: 48 * time.Hour},
	} {
		ensure(t, db, o)
	}
	ensure(t, db, migrations.EnsureOptions{CompressAfter: 7 * 24 * time.Hour, Retention: 90 * 24 * time.Hour})
	add(40, 60)
	count := func(query string) (n int) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return n
	}
	compressed := count(`SELECT count(compress_chunk(c)) FROM show_chunks('audit_events', older_than => '2026-12-01'::timestamptz) c`)
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
