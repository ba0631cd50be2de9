package storetest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sark/internal/audit"
)

// root is the folder of the module, from this one.
const root = "../.."

// edit puts a text before or in the place of another one in a file.
type edit struct{ file, old, text string }

// columnEdits are how a column is added to the trail, as CONTRIBUTING.md ("What is stored") says.
func columnEdits() []edit {
	const writer = `{"writer_id", TypeUUID, true, 1},`
	const today = "\tcase Format:\n\t\treturn ColumnCount\n"
	return []edit{
		{"internal/audit/columns.go", writer, fmt.Sprintf(`{"hindsight", TypeText, false, %d}, `, audit.Format+1) + writer},
		{"internal/audit/columns.go", fmt.Sprintf("ColumnCount  = %d", audit.ColumnCount), fmt.Sprintf("ColumnCount  = %d", audit.ColumnCount+1)},
		{"internal/audit/format.go", fmt.Sprintf("const Format = %d", audit.Format), fmt.Sprintf("const Format = %d", audit.Format+1)},
		{"internal/audit/format.go", today, fmt.Sprintf("\tcase %d:\n\t\treturn %d\n", audit.Format, audit.ColumnCount) + today},
		{"internal/audit/event.go", "\t// WriterID identifies", "\tHindsight string `column:\"hindsight\"`\n\t// WriterID identifies"},
		{"internal/audit/tuple.go", "\tb = appendUUID(b, &e.WriterID)", "\tb = appendText(b, e.Hindsight)\n\tb = appendUUID(b, &e.WriterID)"},
		{"internal/audit/decode.go", "WriterID: d.uuid()", "Hindsight: d.text(), WriterID: d.uuid()"},
		{"store/storetest/hindsight_test.go", "func setHindsight(*audit.Event) {}", `func setHindsight(e *audit.Event) { e.Hindsight = "foreseen" }`},
		{"store/storetest/hindsight_test.go", "func hindsight(*audit.Event) string { return \"\" }", "func hindsight(e *audit.Event) string { return e.Hindsight }"},
	}
}

// newFiles are the steps of the schema that go with the column.
func newFiles() map[string]string {
	const up = "-- +goose Up\nALTER TABLE audit_events ADD COLUMN hindsight text;\n"
	return map[string]string{"store/migrations/postgres/09999_hindsight.sql": up, "store/migrations/sqlite/09999_hindsight.sql": up}
}

// nextVersion builds this test binary as the next version of SARK would: with a column more. The sources are not changed; the
// compiler reads edited copies of some.
func nextVersion(t *testing.T) string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	check(t, err)
	base, err := filepath.Abs(root)
	check(t, err)
	dir := t.TempDir()
	replace := make(map[string]string)
	put := func(file, text string) {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "+"))
		check(t, os.WriteFile(path, []byte(text), 0o600))
		replace[filepath.Join(base, file)] = path
	}
	edited := make(map[string]string)
	for _, e := range columnEdits() {
		if edited[e.file] == "" {
			b, err := os.ReadFile(filepath.Join(base, e.file))
			check(t, err)
			edited[e.file] = string(b)
		}
		if strings.Count(edited[e.file], e.old) != 1 {
			t.Fatalf("%s does not have %q once: the way to add a column has changed", e.file, e.old)
		}
		edited[e.file] = strings.Replace(edited[e.file], e.old, e.text, 1)
		put(e.file, edited[e.file])
	}
	for file, text := range newFiles() {
		put(file, text)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	check(t, err)
	overlayFile, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "next.test")
	check(t, os.WriteFile(overlayFile, overlay, 0o600))
	build := exec.CommandContext(t.Context(), goTool, "test", "-c", "-vet=off", "-overlay", overlayFile, "-o", binary, "./store/storetest")
	build.Dir = base
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the next version: %v\n%s", err, out)
	}
	return binary
}
