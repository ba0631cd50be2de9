package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store/migrations"
)

// seedIndexes are the names that operators of the reference system know.
var seedIndexes = []string{
	"idx_mcp_servers_status", "idx_mcp_servers_sensitivity", "idx_mcp_servers_status_sensitivity", "idx_mcp_servers_created_at",
	"idx_mcp_servers_status_created", "idx_audit_events_user_time", "idx_audit_events_type_time", "idx_audit_events_server_time",
	"idx_audit_events_severity",
}

// column is a column of audit_events as a schema has it.
type column struct {
	Name, Type string
	Required   bool
}

// wantColumns translates the audit columns' types, in the order of a table: those that were added later come last.
func wantColumns(types map[audit.Type]string) []column {
	columns := audit.Columns()
	slices.SortStableFunc(columns, func(a, b audit.Column) int { return int(a.Since - b.Since) })
	var want []column
	for _, c := range columns {
		want = append(want, column{c.Name, types[c.Type], c.Required})
	}
	return want
}

func sqliteTypes() map[audit.Type]string {
	return map[audit.Type]string{
		audit.TypeUUID: "BLOB", audit.TypeTimestamp: "INTEGER", audit.TypeInt4: "INTEGER", audit.TypeInt8: "INTEGER",
		audit.TypeFloat8: "REAL", audit.TypeBool: "INTEGER", audit.TypeText: "TEXT", audit.TypeTextArray: "TEXT",
		audit.TypeJSONB: "TEXT", audit.TypeInet: "TEXT", audit.TypeBytea: "BLOB",
	}
}

func postgresTypes() map[audit.Type]string {
	return map[audit.Type]string{
		audit.TypeUUID: "uuid", audit.TypeTimestamp: "timestamptz", audit.TypeInt4: "integer", audit.TypeInt8: "bigint",
		audit.TypeFloat8: "double precision", audit.TypeBool: "boolean", audit.TypeText: "text", audit.TypeTextArray: "text[]",
		audit.TypeJSONB: "jsonb", audit.TypeInet: "inet", audit.TypeBytea: "bytea",
	}
}

// textColumns reads the columns of audit_events from the SQL itself.
func textColumns(t *testing.T, dialect migrations.Dialect) []column {
	t.Helper()
	text, err := migrations.SQL(dialect)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(text, "CREATE TABLE audit_events (\n")
	body, _, ok := strings.Cut(body, "    PRIMARY KEY (id, \"timestamp\")\n")
	if !ok {
		t.Fatal("audit_events has no primary key (id, timestamp)")
	}
	line := regexp.MustCompile(`^    "?(\w+)"?\s+(.+?)( NOT NULL)?,$`)
	var got []column
	for l := range strings.Lines(body) {
		m := line.FindStringSubmatch(strings.TrimRight(l, "\n"))
		if m == nil {
			t.Fatalf("line %q is no column", l)
		}
		got = append(got, column{m[1], m[2], m[3] != ""})
	}
	added := regexp.MustCompile(`(?m)^ALTER TABLE audit_events ADD COLUMN "?(\w+)"? (.+);$`)
	for _, m := range added.FindAllStringSubmatch(text, -1) {
		got = append(got, column{m[1], m[2], false})
	}
	return got
}

func TestAuditColumnsInTheSQL(t *testing.T) {
	for dialect, types := range map[migrations.Dialect]map[audit.Type]string{
		migrations.SQLite: sqliteTypes(), migrations.Postgres: postgresTypes(),
	} {
		if diff := cmp.Diff(wantColumns(types), textColumns(t, dialect)); diff != "" {
			t.Errorf("%s: audit_events differs from audit.Columns (-columns +SQL):\n%s", dialect, diff)
		}
	}
}

func TestUpOnSQLite(t *testing.T) {
	db := open(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "sark.db"))
	checkUp(t, db, migrations.SQLite)

	got := queryColumns(t, db, `SELECT name, type, "notnull" FROM pragma_table_info('audit_events') ORDER BY cid`)
	if diff := cmp.Diff(wantColumns(sqliteTypes()), got); diff != "" {
		t.Errorf("audit_events (-want +got):\n%s", diff)
	}
	checkIndexes(t, db, `SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name`)
}

func TestUpOnPostgres(t *testing.T) {
	db := open(t, "pgx", testkit.Postgres(t))
	checkUp(t, db, migrations.Postgres)

	got := queryColumns(t, db, `SELECT attname, replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz'),
		attnotnull::int FROM pg_attribute WHERE attrelid = 'audit_events'::regclass AND attnum > 0 ORDER BY attnum`)
	if diff := cmp.Diff(wantColumns(postgresTypes()), got); diff != "" {
		t.Errorf("audit_events (-want +got):\n%s", diff)
	}
	checkIndexes(t, db, `SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname`)
}

// TestUpAtOnce starts several gateways on an empty database: one applies every step, the others wait for it.
func TestUpAtOnce(t *testing.T) {
	url := testkit.Postgres(t)
	const gateways = 4
	applied := make([]int, gateways)
	var work sync.WaitGroup
	for i := range gateways {
		db := open(t, "pgx", url)
		work.Go(func() {
			steps, err := migrations.Up(t.Context(), db, migrations.Postgres)
			if err != nil {
				t.Error(err)
			}
			applied[i] = len(steps)
		})
	}
	work.Wait()
	slices.Sort(applied)
	if diff := cmp.Diff([]int{0, 0, 0, 8}, applied); diff != "" {
		t.Errorf("steps applied by each (-want +got):\n%s", diff)
	}
}

// TestUpWithoutRights starts on a database that lacks nothing as a role that may only read and write rows.
func TestUpWithoutRights(t *testing.T) {
	url := testkit.Postgres(t)
	admin := open(t, "pgx", url)
	if _, err := migrations.Up(t.Context(), admin, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	role := fmt.Sprintf("sark_test_rows_%d", os.Getpid())
	exec(t, admin, "CREATE ROLE "+role)
	t.Cleanup(func() {
		exec(t, admin, "DROP OWNED BY "+role)
		exec(t, admin, "DROP ROLE "+role)
	})
	exec(t, admin, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "+role)
	db := open(t, "pgx", url)
	db.SetMaxOpenConns(1)
	exec(t, db, "SET ROLE "+role)
	if steps, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil || len(steps) != 0 {
		t.Errorf("steps %v, error %v", steps, err)
	}
}

// TestUpOnANewerSchema starts on a database that a later version has migrated.
func TestUpOnANewerSchema(t *testing.T) {
	db := open(t, "pgx", testkit.Postgres(t))
	if _, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "INSERT INTO sark_migrations (version_id, is_applied) VALUES (99, true)")
	if steps, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil || len(steps) != 0 {
		t.Errorf("steps %v, error %v", steps, err)
	}
}

func TestModeWithoutTimescale(t *testing.T) {
	mode, err := migrations.DetectMode(t.Context(), open(t, "pgx", testkit.Postgres(t)))
	if err != nil || mode != migrations.ModeNone {
		t.Errorf("mode %q, error %v", mode, err)
	}
}

// checkUp migrates an empty database and looks at the steps before, during and after.
func checkUp(t *testing.T, db *sql.DB, dialect migrations.Dialect) {
	t.Helper()
	ctx := t.Context()
	want := []migrations.Step{
		{Version: 1, Name: "00001_registry.sql"},
		{Version: 2, Name: "00002_audit.sql"},
		{Version: 10, Name: "00010_registry_changes.sql"},
		{Version: 30, Name: "00030_decision_inputs.sql"},
		{Version: 40, Name: "00040_retention.sql"},
		{Version: 50, Name: "00050_forwarded.sql"},
		{Version: 51, Name: "00051_writer_seq.sql"},
		{Version: 52, Name: "00052_audit_format.sql"},
	}
	before, err := migrations.Status(ctx, db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := migrations.Up(ctx, db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	again, err := migrations.Up(ctx, db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	after, err := migrations.Status(ctx, db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	done := append([]migrations.Step(nil), want...)
	for i := range done {
		done[i].Applied = true
	}
	got := [][]migrations.Step{before, applied, again, after}
	if diff := cmp.Diff([][]migrations.Step{want, done, nil, done}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("steps before, applied, applied again, after (-want +got):\n%s", diff)
	}
}

func checkIndexes(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	have := make(map[string]bool)
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		have[name] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range seedIndexes {
		if !have[name] {
			t.Errorf("index %s is missing", name)
		}
	}
}

func queryColumns(t *testing.T, db *sql.DB, query string) []column {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	var got []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.Name, &c.Type, &c.Required); err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatal(err)
	}
}

// TestApacheNeedsNoLicense: what makes the trail a hypertable under TimescaleDB's Apache license uses nothing that is an error
// there: no compression, no policies, no continuous aggregates. The gateways do that work themselves.
func TestApacheNeedsNoLicense(t *testing.T) {
	o := migrations.EnsureOptions{CompressAfter: 7 * 24 * time.Hour}
	licensed := regexp.MustCompile(`(?i)compress|columnstore|_policy|timescaledb\.continuous|add_job`)
	for mode, want := range map[migrations.Mode]bool{migrations.ModeApache: false, migrations.ModeTimescale: true} {
		statements, err := migrations.EnsureSQL(mode, o)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(statements, ";\n")
		if !strings.Contains(text, "create_hypertable") || licensed.MatchString(text) != want {
			t.Errorf("mode %s runs\n%s", mode, text)
		}
	}
}
