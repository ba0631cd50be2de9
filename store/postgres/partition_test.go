package postgres_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/migrations"
	"sark/store/postgres"
	"sark/store/storetest"
)

// rowsOf reads one column of texts.
func rowsOf(t *testing.T, conn *pgx.Conn, query string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestPlainTrailBecomesPartitions has a trail from before partitions, with events in the past, at present and to come. A gateway
// leaves it as it is, migrate gives it partitions, and the gateway that ran meanwhile goes on.
func TestPlainTrailBecomesPartitions(t *testing.T) {
	address := testkit.Postgres(t)
	db, err := migrations.Open(migrations.Postgres, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // used up
	if _, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, address)
	if _, err := migrations.EnsureRoles(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	writer := storetest.Event(0).ID
	now := time.Now().UTC().Truncate(time.Hour)
	tuples := storetest.Spread(writer, now.AddDate(0, 0, -20), 12*time.Hour, 84) // until 22 days from now
	do(t, conn, "GRANT SELECT ON audit_events TO "+migrations.RoleReader)
	d := open(t, postgres.Options{URL: address}) // makes partitions of a table without events
	if kind := rowsOf(t, conn, "SELECT relkind::text FROM pg_class WHERE oid = 'audit_events'::regclass"); kind[0] != "p" {
		t.Fatalf("audit_events is a %s", kind)
	}
	if err := d.AppendEvents(t.Context(), writer, 0, 84, tuples); err != nil {
		t.Fatal(err)
	}
	verifyChain(t, d, writer, 84)
	if n := rowsOf(t, conn, "SELECT count(*)::text FROM audit_events_default"); n[0] == "0" {
		t.Error("no event is in the default partition")
	}
	do(t, conn, "SELECT sark_audit_partition((now() AT TIME ZONE 'UTC')::date + n) FROM generate_series(-21, 22) n")
	if n := rowsOf(t, conn, "SELECT count(*)::text FROM audit_events_default"); n[0] != "0" {
		t.Errorf("%s events were not moved into their days", n[0])
	}
	verifyChain(t, d, writer, 84)
	want := []string{
		"idx_audit_events_server_time", "idx_audit_events_severity", "idx_audit_events_type_time", "idx_audit_events_user_time",
	}
	got := rowsOf(t, conn, "SELECT indexname::text FROM pg_indexes WHERE tablename = 'audit_events' AND indexname = ANY ($1) ORDER BY 1", want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	if ok := rowsOf(t, conn, "SELECT has_table_privilege('"+migrations.RoleReader+"', 'audit_events', 'SELECT')::text"); ok[0] != "true" {
		t.Error("the rights to the table were lost")
	}
}

// TestTrailWithEventsIsConverted is the same for a table that has events.
func TestTrailWithEventsIsConverted(t *testing.T) {
	address := testkit.Postgres(t)
	db, err := migrations.Open(migrations.Postgres, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // used up
	if _, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, address)
	do(t, conn, `INSERT INTO audit_events (id, "timestamp", class_uid, event_type, severity, phase, status_code, rpc_code, success, duration_us,
		upstream_us, bytes_in, bytes_out, cost, writer_id, seq, hash) VALUES (gen_random_uuid(), now(), 0, '', 'low', '', 0, 0, true, 0, 0, 0, 0, 0,
		gen_random_uuid(), 1, '')`)
	d := open(t, postgres.Options{URL: address})
	if kind := rowsOf(t, conn, "SELECT relkind::text FROM pg_class WHERE oid = 'audit_events'::regclass"); kind[0] != "r" {
		t.Errorf("a gateway has locked everybody out: audit_events is a %s", kind)
	}
	do(t, conn, "DELETE FROM audit_events")
	writer := storetest.Event(0).ID
	tuples := storetest.Spread(writer, time.Now().UTC().AddDate(0, 0, -5), 12*time.Hour, 40)
	if err := d.AppendEvents(t.Context(), writer, 0, 20, tuples[:20]); err != nil {
		t.Fatal(err)
	}

	ran, err := migrations.Ensure(t.Context(), db, migrations.EnsureOptions{})
	if err != nil || len(ran) != 1 {
		t.Fatalf("ran %v, error %v", ran, err)
	}
	if again, err := migrations.EnsurePlan(t.Context(), db, migrations.EnsureOptions{}); err != nil || len(again) != 0 {
		t.Errorf("still to do: %v, error %v", again, err)
	}
	if err := d.AppendEvents(t.Context(), writer, 20, 40, tuples[20:]); err != nil {
		t.Fatal(err)
	}
	verifyChain(t, d, writer, 40)
	if err := d.AppendEvents(t.Context(), writer, 40, 41, tuples[3:4]); err == nil {
		t.Error("an event was stored twice")
	}
	if made, err := d.Prepare(t.Context()); err != nil || made != 0 {
		t.Errorf("%d partitions were made, error %v", made, err)
	}
	do(t, conn, "SELECT pg_advisory_lock($1)", 0x7475726e)
	if _, err := d.Prepare(t.Context()); err != store.ErrNotOurTurn { //nolint:errorlint // as it is
		t.Errorf("beside another gateway: error %v", err)
	}
}
