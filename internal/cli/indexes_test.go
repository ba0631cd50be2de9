package cli_test

import (
	"database/sql"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
	"sark/store/migrations"
)

// server is a PostgreSQL database with our schema, and the environment that names it.
func server(t *testing.T, statements ...string) (*sql.DB, []string) {
	t.Helper()
	url := testkit.Postgres(t)
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db, []string{"SARK_STORE_URL=" + url}
}

func TestIndexesApply(t *testing.T) {
	_, environ := server(t, "DROP INDEX idx_mcp_servers_team")
	const create = "CREATE INDEX CONCURRENTLY idx_mcp_servers_team ON mcp_servers (team_id)"

	dry := runWith(t, environ, "", "indexes", "apply", "--dry-run")
	if dry.Code != 0 || dry.Err != "" || !strings.Contains(dry.Out, "-- idx_mcp_servers_team on table mcp_servers: missing\n"+create+";\n") ||
		!strings.Contains(dry.Out, "-- idx_mcp_servers_status on table mcp_servers: present\n") {
		t.Errorf("dry run: %+v", dry)
	}
	r := runWith(t, environ, "", "indexes", "apply", "--analyze")
	if r.Code != 0 || !regexp.MustCompile(`(?m)^idx_mcp_servers_team +mcp_servers +table +missing +present +\d+.*s$`).MatchString(r.Out) {
		t.Errorf("apply: %+v", r)
	}
	if diff := cmp.Diff(`[8/19] `+create+`
ANALYZE mcp_servers
ANALYZE mcp_tools
ANALYZE audit_events
ANALYZE decision_inputs
19 of 19 indexes are valid; 1 built, 0 failed
`, r.Err); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	again := runWith(t, environ, "", "indexes", "apply", "--output", "json")
	if n := strings.Count(again.Out, `"before":"present","now":"present","statements":[]`); n != 19 || again.Code != 0 {
		t.Errorf("again: %d present, %+v", n, again)
	}
}

// TestIndexesApplyFails builds the others when one cannot be built, names it with the fix, and exits with 1.
func TestIndexesApplyFails(t *testing.T) {
	_, environ := server(t, "DROP INDEX idx_mcp_servers_team", "CREATE INDEX idx_mcp_servers_team ON mcp_servers (owner_id)",
		"DROP INDEX idx_mcp_servers_status", "CREATE TABLE idx_mcp_servers_status ()", "DROP INDEX idx_mcp_tools_server")

	r := runWith(t, environ, "", "indexes", "apply", "--output", "json")

	now := make(map[string]string)
	for line := range strings.Lines(r.Out) {
		var l struct{ Index, Now string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		now[l.Index] = l.Now
	}
	got := []string{now["idx_mcp_servers_team"], now["idx_mcp_servers_status"], now["idx_mcp_tools_server"]}
	if diff := cmp.Diff([]string{"failed", "failed", "present"}, got); diff != "" || r.Code != 1 {
		t.Errorf("outcomes (-want +got):\n%s\n%+v", diff, r)
	}
	for _, want := range []string{
		`sark: index idx_mcp_servers_team: it is different; it is on (owner_id) instead of (team_id): drop it with "DROP INDEX`,
		`(SQLSTATE 42P07); another relation has its name: rename that one`, "17 of 19 indexes are valid; 1 built, 2 failed\n",
	} {
		if !strings.Contains(r.Err, want) {
			t.Errorf("standard error lacks %q:\n%s", want, r.Err)
		}
	}
}

func TestIndexesOnSQLite(t *testing.T) {
	dir := t.TempDir()
	run(t, "migrate", "--data-dir", dir)

	r := run(t, "indexes", "apply", "--data-dir", dir)
	if r.Code != 0 || r.Err != "19 of 19 indexes are valid; 0 built, 0 failed\n" {
		t.Errorf("apply: %+v", r)
	}
	compare(t, result{1, "", "sark: the database is the SQLite file " + dir + "/sark.db: SQLite does not count how often an index is used; " +
		"\"sark db explain\" shows which one a query takes\n"}, run(t, "indexes", "usage", "--data-dir", dir))
}

func TestIndexesUsage(t *testing.T) {
	_, environ := server(t)

	r := runWith(t, environ, "", "indexes", "usage")
	if r.Code != 0 || !strings.HasPrefix(r.Err, "counted since the database was made") ||
		!regexp.MustCompile(`(?m)^mcp_servers +mcp_servers_pkey +\d+ +\d+ +\d+ +8 kB +keeps rows unique$`).MatchString(r.Out) {
		t.Errorf("usage: %+v", r)
	}
	_, environ = server(t, "SELECT pg_stat_reset()")
	r = runWith(t, environ, "", "indexes", "unused", "--output", "json")
	if r.Code != 0 || strings.Contains(r.Out, `"constraint":true`) || !strings.Contains(r.Out, `"index":"idx_audit_events_severity"`) ||
		!strings.Contains(r.Err, "too short to drop an index") {
		t.Errorf("unused: %+v", r)
	}
}

// TestDatabaseToolsUnreachable names the database that does not answer, without its password.
func TestDatabaseToolsUnreachable(t *testing.T) {
	for _, command := range []string{"indexes apply", "indexes usage", "db connections", "db explain events"} {
		r := runWith(t, []string{"SARK_STORE_URL=postgres://sark:hush@127.0.0.1:1/sark"}, "", strings.Fields(command)...)
		if r.Code != 1 || !strings.HasPrefix(r.Err, "sark: postgres://sark:xxxxx@127.0.0.1:1/sark: ") || strings.Contains(r.Err, "hush") {
			t.Errorf("%s: %+v", command, r)
		}
	}
}
