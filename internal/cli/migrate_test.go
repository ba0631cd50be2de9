package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sark/internal/testkit"
	"sark/store/migrations"
)

func TestMigrate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := filepath.Join(dir, "sark.db")

	compare(t, result{0, "pending 00001_registry.sql\npending 00002_audit.sql\npending 00010_registry_changes.sql\npending 00030_decision_inputs.sql\npending 00040_retention.sql\npending 00050_forwarded.sql\npending 00051_writer_seq.sql\npending 00052_audit_format.sql\n" + db + " lacks 8 steps; nothing was applied\n", ""},
		run(t, "migrate", "--dry-run", "--data-dir", dir))
	if _, err := os.Stat(dir); err == nil {
		t.Error("the dry run made the data directory")
	}
	compare(t, result{0, "applied 00001_registry.sql\napplied 00002_audit.sql\napplied 00010_registry_changes.sql\napplied 00030_decision_inputs.sql\napplied 00040_retention.sql\napplied 00050_forwarded.sql\napplied 00051_writer_seq.sql\napplied 00052_audit_format.sql\n" + db + " is up to date; 8 steps applied\n", ""},
		run(t, "migrate", "--data-dir", dir))
	compare(t, result{0, db + " was up to date already\n", ""}, run(t, "migrate", "--data-dir", dir))
	compare(t, result{0, db + " is up to date\n", ""}, run(t, "migrate", "--dry-run", "--data-dir", dir))
}

func TestMigrateSQL(t *testing.T) {
	for dialect, test := range map[string]struct {
		environ []string
		marks   []string
	}{
		"sqlite":   {nil, []string{"-- 00001_registry.sql\n", "-- 00002_audit.sql\n", "CREATE TABLE audit_events", "STRICT"}},
		"postgres": {[]string{"SARK_STORE_URL=postgres://sark@127.0.0.1:1/sark"}, []string{"-- 00002_audit.sql\n", "timestamptz", "jsonb"}},
	} {
		t.Run(dialect, func(t *testing.T) {
			r := runWith(t, test.environ, "", "migrate", "--sql", "--data-dir", "/nowhere")
			for _, mark := range test.marks {
				if !strings.Contains(r.Out, mark) {
					t.Errorf("the SQL lacks %q", mark)
				}
			}
			compare(t, result{}, result{Code: r.Code, Err: r.Err})
		})
	}
}

// TestMigrateUnreachable names the database that does not answer, without its password.
func TestMigrateUnreachable(t *testing.T) {
	for _, flag := range []string{"--dry-run", "--dry-run=false"} {
		r := runWith(t, []string{"SARK_STORE_URL=postgres://sark:hush@127.0.0.1:1/sark"}, "", "migrate", flag)
		if r.Code != 1 || r.Out != "" || !strings.HasPrefix(r.Err, "sark: postgres://sark:xxxxx@127.0.0.1:1/sark: ") ||
			strings.Contains(r.Err, "hush") || strings.Count(r.Err, "\n") != 1 {
			t.Errorf("migrate %s = %+v", flag, r)
		}
	}
}

// TestMigratePostgres takes an empty PostgreSQL through dry run, migration and the state in which nothing is left to do.
func TestMigratePostgres(t *testing.T) {
	address := testkit.Postgres(t)
	environ := []string{"SARK_STORE_URL=" + address}
	steps := []string{
		"00001_registry.sql", "00002_audit.sql", "00010_registry_changes.sql", "00030_decision_inputs.sql", "00040_retention.sql",
		"00050_forwarded.sql", "00051_writer_seq.sql", "00052_audit_format.sql",
		"native partitions of a day for audit_events; what it holds becomes the first one as it is, after a look at every row",
		"database roles sark_writer, sark_reader, sark_admin",
	}
	list := func(word string) string { return word + " " + strings.Join(steps, "\n"+word+" ") + "\n" }

	compare(t, result{0, list("pending") + address + " lacks 10 steps; nothing was applied\n", ""},
		runWith(t, environ, "", "migrate", "--dry-run"))
	r := runWith(t, environ, "", "migrate")
	compare(t, result{0, list("applied") + address + " is up to date; 10 steps applied\n", steps[8] + " ...\n"}, r)
	compare(t, result{0, address + " is up to date\n", ""}, runWith(t, environ, "", "migrate", "--dry-run"))
	compare(t, result{0, address + " was up to date already\n", ""}, runWith(t, environ, "", "migrate"))
}

// TestMigrateSQLIsWhole applies by hand what is printed, and finds nothing left to do.
func TestMigrateSQLIsWhole(t *testing.T) {
	address := testkit.Postgres(t)
	environ := []string{"SARK_STORE_URL=" + address}
	printed := runWith(t, environ, "", "migrate", "--sql")
	db, err := migrations.Open(migrations.Postgres, address+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // used up
	if _, err := db.ExecContext(t.Context(), printed.Out); err != nil {
		t.Fatal(err)
	}
	if steps, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil || len(steps) != 0 {
		t.Errorf("steps left %v, error %v", steps, err)
	}
	for name, plan := range map[string]func() ([]string, error){
		"trail": func() ([]string, error) { return migrations.EnsurePlan(t.Context(), db, migrations.EnsureOptions{}) },
		"roles": func() ([]string, error) { return migrations.RolesPlan(t.Context(), db) },
	} {
		if left, err := plan(); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, error %v", name, left, err)
		}
	}
}

func TestMigrateSQLModes(t *testing.T) {
	for mode, mark := range map[string]string{
		"none": "PARTITION BY RANGE", "apache": "SELECT create_hypertable(", "timescale": "CREATE MATERIALIZED VIEW audit_rollups_hourly",
	} {
		r := runWith(t, []string{"SARK_STORE_URL=postgres://sark@127.0.0.1:1/sark"}, "", "migrate", "--sql", "--mode", mode)
		if r.Code != 0 || !strings.Contains(r.Out, mark) || !strings.Contains(r.Out, "CREATE ROLE sark_writer") {
			t.Errorf("mode %s lacks %q or the roles: %+v", mode, mark, r.Err)
		}
	}
	if r := run(t, "migrate", "--sql", "--mode", "azure"); r.Code != 2 {
		t.Errorf("an unknown mode: %+v", r)
	}
}
