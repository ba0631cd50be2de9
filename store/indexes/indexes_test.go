package indexes_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
	"sark/store/indexes"
	"sark/store/migrations"
	"sark/store/storetest"
)

// seedNames are the names that operators of the reference system know.
func seedNames() []string {
	return []string{
		"idx_mcp_servers_status", "idx_mcp_servers_sensitivity", "idx_mcp_servers_status_sensitivity", "idx_mcp_servers_created_at",
		"idx_mcp_servers_status_created", "idx_audit_events_user_time", "idx_audit_events_type_time", "idx_audit_events_server_time",
		"idx_audit_events_severity",
	}
}

func names() []string {
	var list []string
	for _, x := range indexes.All() {
		list = append(list, x.Name)
	}
	return list
}

func TestSeedNames(t *testing.T) {
	for _, name := range seedNames() {
		if !slices.Contains(names(), name) {
			t.Errorf("index %s is missing", name)
		}
	}
}

// TestSchemaHasThem compares the list with what the schemas make: every index that is no constraint, by name.
func TestSchemaHasThem(t *testing.T) {
	postgres := migrated(t, migrations.Postgres, testkit.Postgres(t))
	sqlite := migrated(t, migrations.SQLite, filepath.Join(t.TempDir(), "sark.db"))
	want := slices.Sorted(slices.Values(names()))
	for name, made := range map[string][]string{
		"postgres": texts(t, postgres, `SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid
			WHERE NOT indisunique AND NOT relispartition AND relname LIKE 'idx_%' ORDER BY relname COLLATE "C"`),
		"sqlite": texts(t, sqlite, `SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE INDEX%' ORDER BY name`),
	} {
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("%s (-listed in All +made by the schema):\n%s", name, diff)
		}
	}
}

func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestPlain takes indexes away from ordinary tables and builds them again, once.
func TestPlain(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	storetest.Plain(t, url)
	exec(t, db, "DROP INDEX idx_mcp_servers_status")
	p := open(t, url)

	before := states(t, p)
	ran := apply(t, p)

	if diff := cmp.Diff(map[string]int{"table present": 10, "table missing": 9}, before); diff != "" {
		t.Errorf("states before (-want +got):\n%s", diff)
	}
	want := []string{
		`CREATE INDEX CONCURRENTLY idx_mcp_servers_status ON mcp_servers (status)`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_user_time ON audit_events (user_id, "timestamp" DESC)`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_type_time ON audit_events (event_type, "timestamp" DESC)`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_server_time ON audit_events (server_id, "timestamp" DESC)`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_severity ON audit_events (severity, "timestamp" DESC) WHERE severity IN ('high', 'critical')`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_time_id ON audit_events ("timestamp" DESC, id DESC)`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_server_name_time ON audit_events (server_name, "timestamp" DESC)`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_tool_time ON audit_events (tool_name, "timestamp" DESC) WHERE tool_name IS NOT NULL`,
		`CREATE INDEX CONCURRENTLY idx_audit_events_writer_seq ON audit_events (writer_id, seq)`,
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string(nil), apply(t, p)); diff != "" {
		t.Errorf("statements of the second time (-want +got):\n%s", diff)
	}
}

// TestInvalid interrupts a build: what it leaves is dropped and built anew.
func TestInvalid(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	exec(t, db, "DROP INDEX idx_mcp_servers_team")
	leaveInvalid(t, db, "CREATE INDEX CONCURRENTLY idx_mcp_servers_team ON mcp_servers (team_id)", "mcp_servers")
	p := open(t, url)

	ran := apply(t, p)

	want := []string{
		`DROP INDEX CONCURRENTLY idx_mcp_servers_team`, `CREATE INDEX CONCURRENTLY idx_mcp_servers_team ON mcp_servers (team_id)`,
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

// leaveInvalid interrupts a concurrent build that waits for a transaction on the table.
func leaveInvalid(t *testing.T, db *sql.DB, create, table string) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE "+table+" IN ROW EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), "SET lock_timeout = '50ms'"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), create); err == nil {
		t.Fatal("the build was not interrupted")
	}
	if err := errors.Join(c.Close(), tx.Rollback()); err != nil {
		t.Fatal(err)
	}
}

// TestDifferent leaves an index of our name alone that is not ours, and says what to do.
func TestDifferent(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	exec(t, db, "DROP INDEX idx_mcp_servers_team")
	exec(t, db, "CREATE INDEX idx_mcp_servers_team ON mcp_servers (owner_id, team_id)")
	p := open(t, url)
	steps, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(steps, func(s indexes.Step) bool { return s.Index.Name == "idx_mcp_servers_team" })

	err = p.Run(t.Context(), steps[at], func(s string) { t.Errorf("ran %s", s) })

	want := `index idx_mcp_servers_team: it is different; it is on (owner_id, team_id) instead of (team_id): drop it with ` +
		`"DROP INDEX idx_mcp_servers_team", then run "sark indexes apply" again, which drops what is left of it and builds it anew`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// TestFix tells what to do about a build that the server refused, and names the index.
func TestFix(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	exec(t, db, "DROP INDEX idx_mcp_servers_team")
	exec(t, db, "CREATE TABLE idx_mcp_servers_team ()")
	p := open(t, url)
	steps, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, s := range steps {
		err := p.Run(t.Context(), s, func(string) {})
		var e *indexes.Error
		if errors.As(err, &e) {
			failed = append(failed, e.Index+": "+e.Fix)
		}
	}
	if len(failed) != 1 || !strings.HasPrefix(failed[0], "idx_mcp_servers_team: another relation has its name: rename that one") {
		t.Errorf("failed: %q", failed)
	}
}

// TestMissingTable says how to make the schema.
func TestMissingTable(t *testing.T) {
	_, err := open(t, testkit.Postgres(t)).Plan(t.Context())
	if err == nil || !strings.Contains(err.Error(), `table mcp_servers is missing; make it with "sark migrate"`) {
		t.Errorf("error %v", err)
	}
}

// TestLock lets one process build at a time.
func TestLock(t *testing.T) {
	url := testkit.Postgres(t)
	first, second := open(t, url), open(t, url)
	if err := first.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(t.Context()); err == nil || !strings.Contains(err.Error(), "another process is building indexes") {
		t.Errorf("error %v", err)
	}
}

func TestSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sark.db")
	db := migrated(t, migrations.SQLite, path)
	exec(t, db, "DROP INDEX idx_audit_events_severity")
	s, err := indexes.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the statements say whether it worked

	ran := apply(t, s)

	want := []string{`CREATE INDEX idx_audit_events_severity ON audit_events (severity, "timestamp" DESC) WHERE severity IN ('high', 'critical')`}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"table present": len(indexes.All())}, states(t, s)); diff != "" {
		t.Errorf("states after (-want +got):\n%s", diff)
	}
	if err := s.Analyze(t.Context(), func(string) {}); err != nil {
		t.Error(err)
	}
}
