package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMigrate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := filepath.Join(dir, "sark.db")

	compare(t, result{0, "pending 00001_registry.sql\npending 00002_audit.sql\npending 00010_registry_changes.sql\npending 00030_decision_inputs.sql\n" + db + " lacks 4 steps; nothing was applied\n", ""},
		run(t, "migrate", "--dry-run", "--data-dir", dir))
	if _, err := os.Stat(dir); err == nil {
		t.Error("the dry run made the data directory")
	}
	compare(t, result{0, "applied 00001_registry.sql\napplied 00002_audit.sql\napplied 00010_registry_changes.sql\napplied 00030_decision_inputs.sql\n" + db + " is up to date; 4 steps applied\n", ""},
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
