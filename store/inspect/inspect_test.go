package inspect_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/inspect"
	"sark/store/postgres"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// TestConnections counts a connection in each state.
func TestConnections(t *testing.T) {
	url := testkit.Postgres(t)
	s, db := server(t, url+"&application_name=tester")
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was done
	idle, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close() //nolint:errcheck // it goes back to its pool

	list, open, most, err := s.Connections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []inspect.Connections{{Application: "tester", Total: 2, Idle: 1, IdleInTransaction: 1}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
	if open < 2 || most < open {
		t.Errorf("%d of %d connections", open, most)
	}
}

func TestLongTransactions(t *testing.T) {
	s, db := server(t, testkit.Postgres(t)+"&application_name=tester")
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was done
	if _, err := tx.ExecContext(t.Context(), "SELECT 'left open'"); err != nil {
		t.Fatal(err)
	}

	var got inspect.Transaction
	testkit.Eventually(t, "the server waits for its client", func() bool { // it says that it is idle before it waits
		list, err := s.LongTransactions(t.Context(), 0)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d transactions, error %v", len(list), err)
		}
		got = list[0]
		return got.Waiting != ""
	})
	if got.PID == 0 || got.Duration <= 0 || got.Seconds <= 0 {
		t.Errorf("%+v", got)
	}
	got.PID, got.Duration, got.Seconds = 0, 0, 0
	want := inspect.Transaction{
		State: "idle in transaction", User: "postgres", Application: "tester", Waiting: "Client: ClientRead", Query: "SELECT 'left open'",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transaction (-want +got):\n%s", diff)
	}
	if list, err := s.LongTransactions(t.Context(), time.Hour); len(list) != 0 || err != nil {
		t.Errorf("older than an hour: %v, error %v", list, err)
	}
}

// TestSlow asks a server that collects nothing, does what the answer says, step by step, and asks again.
func TestSlow(t *testing.T) {
	url := testkit.Postgres(t)
	s, db := server(t, url)
	list, err := s.Slow(t.Context(), 10)
	if len(list) != 0 || !errors.Is(err, inspect.ErrNotCollected) {
		t.Fatalf("%d statements, error %v", len(list), err)
	}
	for _, step := range []string{
		"1. set shared_preload_libraries = 'pg_stat_statements' in postgresql.conf and restart the server", "2. run in database sark_test_",
		"CREATE EXTENSION pg_stat_statements", "3. unless it may already: GRANT pg_read_all_stats TO postgres",
	} {
		if !strings.Contains(err.Error(), step) {
			t.Errorf("%q is missing: %v", step, err)
		}
	}
	exec(t, db, "CREATE EXTENSION pg_stat_statements")
	if _, err := s.Slow(t.Context(), 10); !errors.Is(err, inspect.ErrNotCollected) || strings.Contains(err.Error(), "CREATE EXTENSION") {
		t.Errorf("with the extension alone: %v", err)
	}
	exec(t, db, "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
	first := db // outlives the one that is opened below
	t.Cleanup(func() {
		exec(t, first, "ALTER SYSTEM RESET shared_preload_libraries")
		testkit.RestartPostgres(t, "fast")
	})
	testkit.RestartPostgres(t, "fast")
	s, db = server(t, url)
	exec(t, db, "SELECT pg_sleep(0.02)")
	exec(t, db, "SELECT pg_sleep(0.03)")

	list, err = s.Slow(t.Context(), 1)

	if err != nil || len(list) != 1 {
		t.Fatalf("%d statements, error %v", len(list), err)
	}
	if got := list[0]; got.Query != "SELECT pg_sleep($1)" || got.Calls != 2 || got.Mean < 20 || got.Max < got.Mean || got.Total < got.Max {
		t.Errorf("slowest %+v", got)
	}
}

// TestExplain executes every built-in query, without a value and as JSON, and changes nothing.
func TestExplain(t *testing.T) {
	url := testkit.Postgres(t)
	s, _ := server(t, url)
	d, err := postgres.Open(t.Context(), postgres.Options{URL: url, PoolSize: 1, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ids := fill(t, d)

	for _, q := range inspect.Questions() {
		text, err := s.Explain(t.Context(), q, "", false)
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(text.Lines, "\n")
		if !strings.Contains(plan, "actual time=") || !strings.Contains(plan, "Planning Time:") || (q.Takes != "") != (text.Value != "") {
			t.Errorf("%s asks for %q; plan\n%s", q.Name, text.Value, plan)
		}
		if q.Name == "event" && text.Value != ids[len(ids)-1] {
			t.Errorf("asks for event %s, want the newest %s", text.Value, ids[len(ids)-1])
		}
		asJSON, err := s.Explain(t.Context(), q, text.Value, true)
		if err != nil || !json.Valid(asJSON.Plan) || !strings.Contains(string(asJSON.Plan), `"Actual Rows"`) {
			t.Errorf("%s: plan %s, error %v", q.Name, asJSON.Plan, err)
		}
	}
}

func TestExplainSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sark.db")
	d, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ids := fill(t, d)

	for _, q := range inspect.Questions() {
		plan, err := inspect.ExplainSQLite(t.Context(), path, q, "")
		if err != nil || len(plan.Lines) == 0 || (q.Takes != "") != (plan.Value != "") {
			t.Errorf("%s asks for %q; plan %q, error %v", q.Name, plan.Value, plan.Lines, err)
		}
		if q.Name == "event" && plan.Value != ids[len(ids)-1] {
			t.Errorf("asks for event %s, want the newest %s", plan.Value, ids[len(ids)-1])
		}
		if q.Name == "user-trail" {
			want := []string{"SEARCH audit_events USING INDEX idx_audit_events_user_time (user_id=?)", "USE TEMP B-TREE FOR LAST TERM OF ORDER BY"}
			if diff := cmp.Diff(want, plan.Lines); diff != "" {
				t.Errorf("plan of a user's trail (-want +got):\n%s", diff)
			}
		}
	}
}

// fill stores some events and a server, and returns the ids of the events.
func fill(t *testing.T, d storetest.Store) []string {
	t.Helper()
	const events = 20
	writer := storetest.Event(0).ID
	tuples := storetest.Sealed(writer, events)
	if err := d.AppendEvents(t.Context(), writer, 0, events, tuples); err != nil {
		t.Fatal(err)
	}
	server := store.Server{Name: "github", Transport: "http", Endpoint: "http://127.0.0.1:9000/mcp", TeamID: "platform", OwnerID: "ana"}
	if err := d.CreateServers(t.Context(), &server); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, tuple := range tuples {
		e, err := audit.DecodeTuple(tuple)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID.String())
	}
	return ids
}
