package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// storageFailures names the tests that make the rows of the operations guide about storing the trail happen, by the id of the
// row: the folder of a package and the functions.
func storageFailures() map[string][]string {
	return map[string][]string{
		"database-away":       {"internal/crash.TestNothingIsLostInCrashes", "store/postgres.TestOutage", "proxy.TestFailureTable"},
		"database-away-start": {"internal/app.TestStartWithoutDatabase"},
		"database-unusable":   {"internal/app.TestDatabaseWhoseSchemaIsBehind", "internal/app.TestWrongDatabaseEndsTheStart"},
		"spool-full": {
			"store/spool.TestFullSpoolRefuses", "store/spool.TestFullByAge", "store/spool.TestFullByDisk", "store/spool.TestSheddingIsSaid",
			"store/spool.TestFullSpoolRecordsRefusals",
		},
		"refusal-flood":       {"store/spool.TestRefusalsAreBounded", "store/spool.TestFloodOfAddresses"},
		"spool-disk":          {"store/spool.TestFailedDiskRefusesAndRecovers", "internal/crash.TestNothingIsLostInCrashes"},
		"spool-damaged":       {"store/spool.TestDamageIsKeptAsideAndSaid", "store/spool.TestDamageWhileRunningIsSaid", "store/spool.TestMissingSegmentIsSaidOnce"},
		"gateway-killed":      {"store/spool.TestOrphansBecomeUnknown", "internal/crash.TestNothingIsLostInCrashes"},
		"row-refused":         {"store.TestShipperSetsBadRowsAside", "store/postgres.TestBadRows"},
		"spool-other-version": {"store/spool.TestRefusesWhatANewerVersionWrote"},
		"spool-put-back":      {"store.TestPutBackSpoolLosesNothing", "store.TestCopyOfASpoolInUse"},
		"aside-full":          {"internal/app.TestAsideIsBounded", "store/aside.TestBounds"},
		"receiver-away":       {"store/siem.TestDeadReceiver", "store/siem.TestCatchesUpFromPostgres", "store/siem.TestRefusesAll"},
		"receiver-refuses":    {"store/siem.TestPoison"},
		"maintenance-unable":  {"store/postgres.TestMaintenanceWithoutRights"},
	}
}

// TestStorageFailures reads the table: a row without a test fails, as do a test without a row and one that does not exist.
func TestStorageFailures(t *testing.T) {
	root := filepath.Join("..", "..")
	tests, functions := storageFailures(), make(map[string]map[string]bool)
	for _, id := range storageTable(t, root) {
		named := tests[id]
		delete(tests, id)
		if len(named) == 0 {
			t.Errorf("row %s has no test", id)
		}
		for _, name := range named {
			dir, function, _ := strings.Cut(name, ".")
			if functions[dir] == nil {
				functions[dir] = testsIn(t, filepath.Join(root, dir))
			}
			if !functions[dir][function] {
				t.Errorf("row %s: there is no test %s", id, name)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tests)) {
		t.Errorf("failure %s has no row in docs/operations.md", id)
	}
}

// storageTable reads the ids of the table's rows.
func storageTable(t *testing.T, root string) (ids []string) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "\n## When the audit trail cannot be stored\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	for line := range strings.SplitSeq(section, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		id := strings.Trim(cells[0], "`")
		if len(cells) != 4 || slices.Contains(ids, id) {
			t.Errorf("row %s has %d cells, or is there twice", id, len(cells))
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		t.Fatal("docs/operations.md has no table of failures to store the trail")
	}
	return ids
}

// testsIn lists the test functions of a package.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}
