package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/migrations"
	"sark/store/postgres"
	"sark/store/spool"
	"sark/store/storetest"
)

// login makes a login with some roles in a database, and returns the URL by which it connects.
func login(t *testing.T, address string, roles ...string) string {
	t.Helper()
	name := "sark_test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	conn := connect(t, address)
	do(t, conn, "CREATE ROLE "+name+" LOGIN PASSWORD 'x'")
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background()) //nolint:errcheck // it was only to clean up
		if _, err := c.Exec(context.Background(), "DROP OWNED BY "+name+"; DROP ROLE "+name); err != nil {
			t.Error(err)
		}
	})
	for _, role := range roles {
		do(t, conn, "GRANT "+role+" TO "+name)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("user", name)
	q.Set("password", "x")
	u.RawQuery = q.Encode()
	return u.String()
}

// withRoles is a migrated database with the roles.
func withRoles(t *testing.T) string {
	t.Helper()
	address := testkit.Postgres(t)
	db, err := migrations.Open(migrations.Postgres, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // used up
	if _, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.Ensure(t.Context(), db, migrations.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.EnsureRoles(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if again, err := migrations.EnsureRoles(t.Context(), db); err != nil || len(again) != 0 {
		t.Errorf("made again: %v, error %v", again, err)
	}
	return address
}

// refused runs statements, each of which the login must lack the right to.
func refused(t *testing.T, address string, statements ...string) {
	t.Helper()
	conn := connect(t, address)
	for _, s := range statements {
		_, err := conn.Exec(t.Context(), s)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "42501" {
			t.Errorf("%s: error %v, want insufficient_privilege", s, err)
		}
	}
}

// ship lets a gateway record events of the series and store them, and stops it; it returns its writer.
func ship(t *testing.T, d *postgres.DB, dir string, key *store.DigestKey, from, to int) uuid.UUID {
	t.Helper()
	s, err := spool.Open(spool.Options{Dir: dir, Durability: spool.Written, Log: nop()})
	if err != nil {
		t.Fatal(err)
	}
	shipper, err := store.NewShipper(store.ShipperOptions{Source: s, Sink: d, Key: key, DeadDir: filepath.Join(dir, "dead"), Log: nop()})
	if err != nil {
		t.Fatal(err)
	}
	for n := from; n < to; n++ {
		ticket, err := s.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		e := storetest.Event(n)
		ticket.Record(&e)
	}
	if err := errors.Join(shipper.Flush(t.Context()), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return s.Writer()
}

// TestWriterRole lets the whole way of an event, spool, shipper and signed digests, run by a login that may write only, beside
// an API by a login that may read, and then tries everything that a thief of the writer's password might.
func TestWriterRole(t *testing.T) {
	address := withRoles(t)
	writer := login(t, address, migrations.RoleWriter)
	api := login(t, address, migrations.RoleAdmin)
	d := open(t, postgres.Options{URL: api, AuditURL: writer})
	dir, key := t.TempDir(), storetest.Key(t)
	ship(t, d, dir, key, 0, 10)
	id := ship(t, d, dir, key, 10, 20) // after a restart: it asks for its offset and its last digest
	input := store.DecisionInput{DecisionID: uuid.New(), Timestamp: storetest.Epoch, Input: []byte("{}")}
	if err := d.AppendDecisionInputs(t.Context(), []store.DecisionInput{input}); err != nil {
		t.Error(err)
	}
	page, err := d.Events(t.Context(), store.EventFilter{})
	if err != nil || len(page.Items) != 20 {
		t.Errorf("%d events arrived, error %v", len(page.Items), err)
	}

	refused(t, writer, "SELECT FROM audit_events", "UPDATE audit_events SET reason = ''", "DELETE FROM audit_events",
		"TRUNCATE audit_events", "COPY audit_events TO STDOUT", "DROP TABLE audit_events", "SELECT FROM audit_rollups", "SELECT FROM decision_inputs",
		"DELETE FROM audit_digests", "UPDATE audit_digests SET merkle_root = ''", "DELETE FROM audit_writer_offset", "SELECT FROM audit_events_forwarded",
		"INSERT INTO audit_retention VALUES (now(), '', now(), '', '')", "SELECT FROM mcp_servers", "SELECT FROM api_keys",
		"INSERT INTO audit_digests VALUES (gen_random_uuid(), 1, 1, '', '', '', '', now())")
	refused(t, api, "UPDATE audit_events SET reason = ''", "DELETE FROM audit_events", "TRUNCATE audit_events", "DELETE FROM audit_digests",
		"UPDATE audit_writer_offset SET last_seq = 0")
	reader := login(t, address, migrations.RoleReader)
	refused(t, reader, "INSERT INTO audit_rollup_dirty (hour) VALUES (now())", "SELECT FROM api_keys", "DELETE FROM audit_events")

	do(t, connect(t, reader), "SELECT siem_forwarded FROM audit_events_forwarded")
	trail, err := postgres.OpenTrail(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close() //nolint:errcheck // read only
	writers, err := trail.Writers(t.Context())
	if diff := cmp.Diff([]store.WriterState{{Writer: id, Offset: 20, Events: 20}}, writers); err != nil || diff != "" {
		t.Errorf("what a reader sees: error %v (-want +got):\n%s", err, diff)
	}
}

// TestWritersMoveTheirOwnOffset has two gateways with a login each: neither moves the other's offset, sees its digests, or
// continues its chain.
func TestWritersMoveTheirOwnOffset(t *testing.T) {
	address := withRoles(t)
	one := open(t, postgres.Options{URL: address, AuditURL: login(t, address, migrations.RoleWriter)})
	thief := login(t, address, migrations.RoleWriter)
	other := open(t, postgres.Options{URL: address, AuditURL: thief})
	id := uuid.New()
	tuples := storetest.Sealed(id, 6)
	if err := one.AppendEvents(t.Context(), id, 0, 2, tuples[:2]); err != nil {
		t.Fatal(err)
	}

	if err := other.AppendEvents(t.Context(), id, 2, 4, tuples[2:4]); !errors.Is(err, store.ErrFenced) {
		t.Errorf("another writer's offset was moved: error %v", err)
	}
	if err := other.AppendEvents(t.Context(), id, 0, 4, tuples[2:4]); !errors.Is(err, store.ErrFenced) {
		t.Errorf("another writer's offset was begun anew: error %v", err)
	}
	conn := connect(t, thief)
	tag, err := conn.Exec(t.Context(), "UPDATE audit_writer_offset SET last_seq = 0")
	if err != nil || tag.RowsAffected() != 0 {
		t.Errorf("%s, error %v", tag, err)
	}
	if err := one.SetForwarded(t.Context(), id, []store.Receiver{{Name: "soc", Seq: 2}}); err != nil {
		t.Errorf("a writer may not say what its receivers have: %v", err)
	}
	if err := other.SetForwarded(t.Context(), id, []store.Receiver{{Name: "soc", Seq: 6}}); err == nil {
		t.Error("another login said what a writer's receivers have")
	}
	if got, err := one.Forwarded(t.Context(), []uuid.UUID{id}); err != nil || got[id] != 2 {
		t.Errorf("forwarded up to %d, error %v", got[id], err)
	}
	refused(t, thief, fmt.Sprintf("INSERT INTO audit_writer_offset (writer_id, last_seq, updated_at, login) VALUES ('%s', 0, now(), NULL)", uuid.New()))
	if err := one.AppendEvents(t.Context(), id, 2, 6, tuples[2:]); err != nil {
		t.Errorf("the writer goes on: %v", err)
	}
	if seq, err := other.Offset(t.Context(), id); err != nil || seq != 0 {
		t.Errorf("another writer's offset is seen: %d, error %v", seq, err)
	}
}

// TestOwnerThenWriter changes the login of a gateway from the owner of the tables to one that may only write.
func TestOwnerThenWriter(t *testing.T) {
	address := withRoles(t)
	id := uuid.New()
	tuples := storetest.Sealed(id, 4)
	if err := open(t, postgres.Options{URL: address}).AppendEvents(t.Context(), id, 0, 2, tuples[:2]); err != nil {
		t.Fatal(err)
	}
	d := open(t, postgres.Options{URL: address, AuditURL: login(t, address, migrations.RoleWriter)})
	if seq, err := d.Offset(t.Context(), id); err != nil || seq != 2 {
		t.Errorf("offset %d, error %v", seq, err)
	}
	if err := d.AppendEvents(t.Context(), id, 2, 4, tuples[2:]); err != nil {
		t.Error(err)
	}
}

// TestMaintenanceWithoutRights: a gateway whose login does not own the tables counts that it cannot keep the trail in order, and
// says what its login lacks. Nothing is removed.
func TestMaintenanceWithoutRights(t *testing.T) {
	address := withRoles(t)
	id := uuid.New()
	if err := open(t, postgres.Options{URL: address}).AppendEvents(t.Context(), id, 0, 3, storetest.Sealed(id, 3)); err != nil {
		t.Fatal(err)
	}
	d := open(t, postgres.Options{URL: login(t, address, migrations.RoleAdmin)})
	core, logs := observer.New(zap.ErrorLevel)
	metrics := prometheus.NewRegistry()
	m, err := store.NewMaintenance(store.MaintenanceOptions{
		Keeper: d, Key: storetest.Key(t), Retention: time.Hour, Rule: "audit.retention: 1h0m0s", Log: zap.New(core), Metrics: metrics,
		Removed: func(_ store.RetentionMark, what store.Removed) { t.Errorf("%d events were removed", what.Rows) },
	})
	if err != nil {
		t.Fatal(err)
	}

	m.Round(t.Context())

	var said bool
	for _, l := range logs.FilterField(zap.String("task", "retention")).All() {
		said = said || strings.Contains(fmt.Sprint(l.ContextMap()["error"]), "must own the tables of the trail")
	}
	if !said {
		t.Errorf("the log does not say what the login lacks: %v", logs.All())
	}
	if n := failedRounds(t, metrics, "retention"); n != 1 {
		t.Errorf("%v failed rounds are counted, want 1", n)
	}
	if page, err := d.Events(t.Context(), store.EventFilter{}); err != nil || len(page.Items) != 3 {
		t.Errorf("%d events are left, error %v", len(page.Items), err)
	}
}

// failedRounds is how many rounds of a task have failed.
func failedRounds(t *testing.T, metrics prometheus.Gatherer, task string) (n float64) {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if family.GetName() == "sark_store_maintenance_runs_total" && labels["task"] == task && labels["result"] == "failed" {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// TestRolesThatCannotBeMade says which statements somebody else has to run.
func TestRolesThatCannotBeMade(t *testing.T) {
	address := withRoles(t)
	plain := login(t, address)
	db, err := migrations.Open(migrations.Postgres, plain)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // used up
	// The roles exist, on this server for ever: the login has no right to grant them anything.
	if _, err := migrations.EnsureRoles(t.Context(), db); err != nil && !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
	text := (&migrations.RolesError{SQL: "CREATE ROLE sark_writer NOLOGIN;\n"}).Error()
	if !strings.Contains(text, "\nCREATE ROLE sark_writer NOLOGIN;\n") || !strings.Contains(text, "store.roles: false") {
		t.Errorf("the error is %q", text)
	}
}
