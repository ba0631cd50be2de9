package storetest_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/internal/testkit"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUpgrade adds a column to the trail as a later version would, and takes gateways from this version to that one: killed, with
// events waiting, beside gateways that are not upgraded yet, and back. The trail is whole for the later version, and for this one
// as far as it can read it.
func TestUpgrade(t *testing.T) {
	next := nextVersion(t)
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) {
			u := newUpgrade(t, next, database(t))
			u.forwards(t)
			u.beside(t)
			u.whole(t)
			u.earlierReads(t)
			u.exports(t)
			u.changed(t)
			u.backwards(t)
		})
	}
}

// TestSpoolsOfEarlierFormats stores what gateways of each earlier format have left in their spools, together with events of
// today: the trail is sound.
func TestSpoolsOfEarlierFormats(t *testing.T) {
	for format := 1; format < audit.Format; format++ {
		for name, database := range databases() {
			t.Run(fmt.Sprintf("%s %d", name, format), func(t *testing.T) {
				u := newUpgrade(t, os.Args[0], database(t))
				left := filepath.Join("..", "spool", "testdata", fmt.Sprint("format", format), "spool")
				check(t, os.MkdirAll(filepath.Join(u.dir, "one"), 0o700))
				check(t, os.CopyFS(filepath.Join(u.dir, "one", "spool"), os.DirFS(left)))
				u.kill(t, u.now, "one", "record", 10)
				u.run(t, u.now, "one", "finish")

				var formats []int32
				rows := u.rows(t)
				for _, r := range rows[:8] {
					formats = append(formats, r.Format)
				}
				f := int32(format)
				if diff := cmp.Diff([]int32{f, f, f, f, f, audit.Format, audit.Format, audit.Format}, formats); diff != "" {
					t.Errorf("formats (-want +got):\n%s", diff)
				}
				u.sound(t, "verify", len(rows), 1)
				u.run(t, u.now, "one", "export")
				u.sound(t, "verify export", len(rows), 1)
			})
		}
	}
}

// databases make a database of each kind.
func databases() map[string]func(*testing.T) string {
	return map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "sark.db") },
		"postgres": func(t *testing.T) string { t.Helper(); return testkit.Postgres(t) },
	}
}

// upgrade is two versions of a gateway, and what they have said.
type upgrade struct {
	now, next       string // the binaries
	dir             string // above the data directories
	database        string
	intents, events map[string]bool // acknowledged, by exchange
}

func newUpgrade(t *testing.T, next, database string) *upgrade {
	t.Helper()
	return &upgrade{
		now: os.Args[0], next: next, dir: t.TempDir(), database: database, intents: make(map[string]bool), events: make(map[string]bool),
	}
}

func (u *upgrade) command(ctx context.Context, t *testing.T, binary, gateway, do string) *exec.Cmd {
	t.Helper()
	dir := filepath.Join(u.dir, gateway)
	check(t, os.MkdirAll(dir, 0o700))
	text, err := json.Marshal(task{Do: do, Dir: dir, Database: u.database, Export: filepath.Join(u.dir, "export.ndjson")})
	check(t, err)
	c := exec.CommandContext(ctx, binary)
	c.Env = append(os.Environ(), taskVariable+"="+string(text))
	return c
}

// run performs a task to its end and returns what was said, or fails.
func (u *upgrade) run(t *testing.T, binary, gateway, do string) []string {
	t.Helper()
	out, err := u.command(t.Context(), t, binary, gateway, do).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", do, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// refused performs a task that must fail, and returns why.
func (u *upgrade) refused(t *testing.T, binary, gateway, do string) string {
	t.Helper()
	out, err := u.command(t.Context(), t, binary, gateway, do).CombinedOutput()
	if err == nil {
		t.Fatalf("%s: it succeeded:\n%s", do, out)
	}
	return strings.TrimSpace(string(out))
}

// kill performs a task until it has acknowledged so many things, and kills it (SIGKILL).
func (u *upgrade) kill(t *testing.T, binary, gateway, do string, lines int) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	c := u.command(ctx, t, binary, gateway, do)
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	for n, scan := 0, bufio.NewScanner(out); scan.Scan(); n++ {
		what, id, _ := strings.Cut(scan.Text(), " ")
		switch {
		case what == "intent" && len(id) == 36:
			u.intents[id] = true
		case what == "event" && len(id) == 36:
			u.events[id] = true
		case what == "error":
			t.Error(scan.Text())
		}
		if n == lines {
			kill()
		}
	}
	if err := c.Wait(); err == nil {
		t.Errorf("%s ended by itself", do)
	}
}

// forwards takes one gateway from this version to the next, killed at each step, with events of this version waiting.
func (u *upgrade) forwards(t *testing.T) {
	t.Helper()
	u.kill(t, u.now, "one", "ship", 700)
	u.kill(t, u.now, "one", "record", 150)
	u.kill(t, u.next, "one", "ship", 700)
	u.kill(t, u.next, "one", "record", 150)
	u.run(t, u.next, "one", "finish")
}

// beside lets a gateway of this version store events in the schema of the next.
func (u *upgrade) beside(t *testing.T) {
	t.Helper()
	u.kill(t, u.now, "two", "ship", 300)
	u.run(t, u.now, "two", "finish")
}

// rows lists the trail as the next version reads it.
func (u *upgrade) rows(t *testing.T) []listed {
	t.Helper()
	var rows []listed
	for _, line := range u.run(t, u.next, "one", "list") {
		var r listed
		check(t, json.Unmarshal([]byte(strings.TrimPrefix(line, "row ")), &r))
		rows = append(rows, r)
	}
	return rows
}

// whole checks that the trail has everything that was acknowledged, and is sound for the next version.
func (u *upgrade) whole(t *testing.T) {
	t.Helper()
	rows := u.rows(t)
	outcomes, formats := make(map[string][]string), make(map[int32]int)
	for _, r := range rows {
		formats[r.Format]++
		outcomes[r.Exchange] = append(outcomes[r.Exchange], r.Outcome)
		if has := r.Hindsight != ""; has != (r.Format > audit.Format) && r.Outcome != string(audit.OutcomeUnknown) && r.Type == "tool_invoked" {
			t.Errorf("event %d of format %d has hindsight %q", r.Seq, r.Format, r.Hindsight)
		}
	}
	for id := range u.intents {
		if len(outcomes[id]) != 1 || u.events[id] && outcomes[id][0] == string(audit.OutcomeUnknown) {
			t.Errorf("exchange %s has the outcomes %q", id, outcomes[id])
		}
	}
	if len(formats) != 2 || formats[audit.Format] == 0 || formats[audit.Format+1] == 0 {
		t.Errorf("events by format: %v", formats)
	}
	if n := u.count(t, `SELECT count(*) FROM audit_digests d WHERE (SELECT count(DISTINCT format) FROM audit_events e
		WHERE e.writer_id = d.writer_id AND e.seq BETWEEN d.first_seq AND d.last_seq) > 1`); n != 1 {
		t.Errorf("%d batches hold events of both versions", n)
	}
	if dead, err := filepath.Glob(filepath.Join(u.dir, "*", "dead", "*")); err != nil || dead != nil {
		t.Errorf("set aside: %v, %v", dead, err)
	}
	u.sound(t, "verify", len(rows), 2)
	t.Logf("%d intents and %d events acknowledged; rows by format: %v", len(u.intents), len(u.events), formats)
}

// sound verifies with the next version that there is nothing to find.
func (u *upgrade) sound(t *testing.T, do string, events, writers int) {
	t.Helper()
	if diff := cmp.Diff([]string{fmt.Sprintf("verified %d %d", events, writers)}, u.run(t, u.next, "one", do)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", do, diff)
	}
}

// earlierReads reads what both have stored with this version, and verifies it: it finds what the next version has recorded to be
// of that, and nothing else.
func (u *upgrade) earlierReads(t *testing.T) {
	t.Helper()
	want := 0
	for _, r := range u.rows(t) {
		if r.Format > audit.Format {
			want++
		}
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("queried 200 [%d %d]", audit.Format, audit.Format+1)}, u.run(t, u.now, "one", "query")); diff != "" {
		t.Errorf("a page (-want +got):\n%s", diff)
	}
	lines := u.run(t, u.now, "one", "verify")
	newer := 0
	for _, line := range lines[:len(lines)-1] {
		var kind string
		var first, last int
		if _, err := fmt.Sscanf(line, "found %s %d %d", &kind, &first, &last); err != nil || kind != "newer" {
			t.Errorf("this version: %s", line)
		}
		newer += last - first + 1
	}
	if newer != want {
		t.Errorf("%d events are of a newer version, found %d:\n%s", want, newer, strings.Join(lines, "\n"))
	}
}

// exports writes the trail to a file. This version says of trail and file what it lacks.
func (u *upgrade) exports(t *testing.T) {
	t.Helper()
	if why := u.refused(t, u.now, "one", "export"); !strings.Contains(why, "written by a newer version of SARK") {
		t.Errorf("export: %s", why)
	}
	rows := u.count(t, "SELECT count(*) FROM audit_events")
	u.run(t, u.next, "one", "export")
	u.sound(t, "verify export", rows, 2)
	if why := u.refused(t, u.now, "one", "verify export"); !strings.Contains(why, "written by a newer version of SARK") {
		t.Errorf("verify export: %s", why)
	}
}

// changed does to rows what only a trail of two formats allows: each is found.
func (u *upgrade) changed(t *testing.T) {
	t.Helper()
	rows := u.rows(t)
	upgraded := slices.IndexFunc(rows, func(r listed) bool { return r.Format > audit.Format })
	of := func(format int32) int64 { // an event of the upgraded gateway amid others of its format
		var list []listed
		for _, r := range rows {
			if r.Writer == rows[upgraded].Writer && r.Format == format {
				list = append(list, r)
			}
		}
		return list[len(list)/2].Seq
	}
	writer := "writer_id = (SELECT writer_id FROM audit_events WHERE format = (SELECT max(format) FROM audit_events) LIMIT 1)"
	for name, c := range map[string]struct {
		format   int32
		set, put string // the change, and its undoing
	}{
		"a column that the format lacks": {audit.Format, "hindsight = 'forged'", "hindsight = NULL"},
		"the column itself":              {audit.Format + 1, "hindsight = 'forged'", "hindsight = 'foreseen'"},
		"hidden behind an older format":  {audit.Format + 1, fmt.Sprintf("hindsight = NULL, format = %d", audit.Format), fmt.Sprintf("hindsight = 'foreseen', format = %d", audit.Format+1)},
		"raised to the newer format":     {audit.Format, fmt.Sprintf("format = %d", audit.Format+1), fmt.Sprintf("format = %d", audit.Format)},
	} {
		seq := of(c.format)
		u.execute(t, fmt.Sprintf("UPDATE audit_events SET %s WHERE seq = %d AND %s", c.set, seq, writer))
		lines := u.run(t, u.next, "one", "verify")
		if want := fmt.Sprintf("found changed %d %d ", seq, seq); len(lines) != 2 || !strings.HasPrefix(lines[0], want) {
			t.Errorf("%s: want %s\n%s", name, want, strings.Join(lines, "\n"))
		}
		u.execute(t, fmt.Sprintf("UPDATE audit_events SET %s WHERE seq = %d AND %s", c.put, seq, writer))
	}
	u.sound(t, "verify", len(rows), 2)
}

// backwards starts this version on the spool of the next, which it refuses and leaves as it is, and then as the guide says.
func (u *upgrade) backwards(t *testing.T) {
	t.Helper()
	spoolDir := filepath.Join(u.dir, "one", "spool")
	before := sizes(t, spoolDir)
	if why := u.refused(t, u.now, "one", "finish"); !strings.Contains(why, "a newer version of SARK wrote it") || !strings.Contains(why, "operations.md#upgrading") {
		t.Errorf("this version on the spool of the next: %s", why)
	}
	if diff := cmp.Diff(before, sizes(t, spoolDir)); diff != "" {
		t.Errorf("spool (-before +after):\n%s", diff)
	}
	check(t, os.Rename(spoolDir, filepath.Join(u.dir, "spool of the next version")))
	u.kill(t, u.now, "one", "ship", 100)
	u.run(t, u.now, "one", "finish")
	u.sound(t, "verify", len(u.rows(t)), 3)
}

func sizes(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	list, err := os.ReadDir(dir)
	check(t, err)
	files := make(map[string]int64)
	for _, f := range list {
		info, err := f.Info()
		check(t, err)
		files[f.Name()] = info.Size()
	}
	return files
}

func (u *upgrade) open(t *testing.T) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(u.database, "postgres://") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, u.database)
	check(t, err)
	return db
}

func (u *upgrade) count(t *testing.T, query string) (n int) {
	t.Helper()
	db := u.open(t)
	defer db.Close() //nolint:errcheck // it was read
	check(t, db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// execute changes one row as somebody could who may write to the database.
func (u *upgrade) execute(t *testing.T, statement string) {
	t.Helper()
	db := u.open(t)
	defer db.Close() //nolint:errcheck // the result says whether it worked
	result, err := db.ExecContext(t.Context(), statement)
	check(t, err)
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}
