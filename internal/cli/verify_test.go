package cli_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/store"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// signedTrail is a data directory with ten events that a gateway has recorded and signed.
func signedTrail(t *testing.T) (dir, writer string) {
	t.Helper()
	dir = t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := store.OpenDigestKey(filepath.Join(dir, "audit-digest.key"))
	must(err)
	s, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), Log: zap.NewNop()})
	must(err)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "sark.db"), Log: zap.NewNop()})
	must(err)
	file, err := store.OpenDigestFile(store.DigestFileOptions{Path: filepath.Join(dir, "digests.ndjson")})
	must(err)
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: s, Sink: db, Batch: 4, DeadDir: filepath.Join(dir, "dead"), Key: key, DigestFile: file, Log: zap.NewNop(),
	})
	must(err)
	for n := range 10 {
		ticket, err := s.Reserve(nil)
		must(err)
		e := storetest.Event(n)
		ticket.Record(&e)
	}
	must(shipper.Flush(t.Context()))
	must(file.Close())
	must(db.Close())
	must(s.Close(t.Context()))
	return dir, s.Writer().String()
}

// spoil changes the database of a data directory.
func spoil(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "sark.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

const cutNote = "an end that was cut off together with its signatures is found only with --head or --digest-file\n"

// verify runs audit verify and replaces what differs from run to run.
func verify(t *testing.T, dir, writer string, flags ...string) result {
	t.Helper()
	r := run(t, append([]string{"audit", "verify", "--data-dir", dir}, flags...)...)
	for old, replacement := range map[string]string{
		`stored until \S+:`: "stored until NOW:", `"until":"[^"]+"`: `"until":"NOW"`, `:[0-9a-f]{64}`: ":HASH", writer: "WRITER",
	} {
		r.Out = regexp.MustCompile(old).ReplaceAllString(r.Out, replacement)
	}
	return r
}

func TestAuditVerifyClean(t *testing.T) {
	dir, writer := signedTrail(t)
	clean := "10 events of 1 writer in 3 signed batches, stored until NOW: all as they were recorded\nhead WRITER:10:HASH\n"

	compare(t, result{0, clean, cutNote}, verify(t, dir, writer))
	compare(t, result{0, clean, ""}, verify(t, dir, writer, "--digest-file", filepath.Join(dir, "digests.ndjson")))
	compare(t, result{0, clean, cutNote}, verify(t, dir, writer, "--writer", writer, "--from", "1h"))
	compare(t, result{0, "0 events of 1 writer in 0 signed batches: all as they were recorded\n", cutNote},
		verify(t, dir, writer, "--to", time.Now().Add(-time.Hour).Format(time.RFC3339)))
}

func TestAuditVerifyFindings(t *testing.T) {
	dir, writer := signedTrail(t)
	spoil(t, dir, "UPDATE audit_events SET tool_name = 'other' WHERE seq = 3", "DELETE FROM audit_events WHERE seq = 6")

	compare(t, result{1, `FINDING    EVENTS     WRITER                                WHAT IS WRONG
changed    3          WRITER  its columns are not those that were signed
missing    6          WRITER  they were deleted; the event after them cannot be checked by itself
9 events of 1 writer in 3 signed batches, stored until NOW: 2 findings
head WRITER:10:HASH
`, cutNote}, verify(t, dir, writer))
	compare(t, result{1, `{"type":"finding","kind":"changed","writer_id":"WRITER","first_seq":3,"last_seq":3,"detail":"its columns are not those that were signed"}
{"type":"finding","kind":"missing","writer_id":"WRITER","first_seq":6,"last_seq":6,"detail":"they were deleted; the event after them cannot be checked by itself"}
{"type":"summary","events":9,"writers":1,"digests":3,"findings":2,"gaps":0,"until":"NOW","heads":["WRITER:10:HASH"]}
`, cutNote}, verify(t, dir, writer, "--output", "json"))
}

// TestAuditVerifyCutTail cuts the end off without a trace, and finds it by what was known before.
func TestAuditVerifyCutTail(t *testing.T) {
	dir, writer := signedTrail(t)
	before := run(t, "audit", "verify", "--data-dir", dir)
	_, head, _ := strings.Cut(strings.TrimSpace(before.Out), "head ")
	spoil(t, dir, "DELETE FROM audit_events WHERE seq > 8", "DELETE FROM audit_digests WHERE last_seq > 8", "UPDATE audit_writer_offset SET last_seq = 8")
	missing := func(why string) string {
		return "FINDING    EVENTS     WRITER                                WHAT IS WRONG\nmissing    9-10       WRITER  " + why +
			"; the end of the trail was cut off\n8 events of 1 writer in 2 signed batches, stored until NOW: 1 finding\nhead WRITER:8:HASH\n"
	}

	compare(t, result{1, missing("a head names them"), ""}, verify(t, dir, writer, "--head", head))
	compare(t, result{1, missing("the digest file accounts for them"), ""}, verify(t, dir, writer, "--digest-file", filepath.Join(dir, "digests.ndjson")))
}

// TestAuditVerifyExtend makes a digest file, which is then the same as the one of the gateway, and adds nothing to it from a
// trail that was tampered with.
func TestAuditVerifyExtend(t *testing.T) {
	dir, writer := signedTrail(t)
	own, copied := filepath.Join(dir, "digests.ndjson"), filepath.Join(t.TempDir(), "copy.ndjson")
	content := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for range 2 {
		if r := verify(t, dir, writer, "--digest-file", copied, "--extend"); r.Code != 0 {
			t.Fatalf("%+v", r)
		}
		if diff := cmp.Diff(content(own), content(copied)); diff != "" {
			t.Errorf("digest file (-the gateway's +copy):\n%s", diff)
		}
	}
	spoil(t, dir, "DELETE FROM audit_events WHERE seq = 3")
	fresh := filepath.Join(t.TempDir(), "fresh.ndjson")
	r := verify(t, dir, writer, "--digest-file", fresh, "--extend")
	if _, err := os.Stat(fresh); r.Code != 1 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%+v; digest file: %v", r, err)
	}
}

func TestAuditVerifyKeys(t *testing.T) {
	dir, _ := signedTrail(t)
	key := run(t, "audit", "verify", "--data-dir", dir, "--print-key")
	if key.Code != 0 || !strings.HasPrefix(key.Out, "ed25519:") {
		t.Fatalf("%+v", key)
	}
	other, err := store.OpenDigestKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	for flag, code := range map[string]int{strings.TrimSpace(key.Out): 0, store.FormatPublicKey(other.Public()): 1} {
		if r := run(t, "audit", "verify", "--data-dir", dir, "--public-key", flag); r.Code != code {
			t.Errorf("with the key %s: %+v", flag, r)
		}
	}
}

func TestAuditVerifyMisused(t *testing.T) {
	dir, _ := signedTrail(t)
	for flags, want := range map[string]string{
		"--head x":              "--head: a head is a writer, a number and a hash, with colons between them",
		"--writer x":            `--writer: "x" should be the id of a writer`,
		"--public-key x":        "--public-key: not a public key: it should be ed25519: and 44 characters of base64",
		"--from 1h --to 2h":     "--from should be before --to",
		"--extend":              "--extend needs --digest-file, and all of the trail",
		"--digest-file missing": "",
	} {
		r := run(t, append([]string{"audit", "verify", "--data-dir", dir}, strings.Fields(flags)...)...)
		if want == "" && r.Code == 1 {
			continue
		}
		compare(t, result{2, "", "sark: " + want + "\n"}, r)
	}
	empty := t.TempDir()
	if r := run(t, "audit", "verify", "--data-dir", empty); r.Code != 1 || !strings.Contains(r.Err, "audit-digest.key") {
		t.Errorf("without a key: %+v", r)
	}
}

// TestAuditVerifyMany prints no more findings than people can read, and all to programs.
func TestAuditVerifyMany(t *testing.T) {
	dir, writer := signedTrail(t)
	var rows []string
	for n := range 120 {
		rows = append(rows, fmt.Sprintf("INSERT INTO audit_digests SELECT writer_id, %d, %d, merkle_root, previous_digest_hash, signature, 'key-%d', created_at"+
			" FROM audit_digests WHERE first_seq = 1", 11+n, 11+n, n))
	}
	spoil(t, dir, rows...)

	r := verify(t, dir, writer)
	asJSON := verify(t, dir, writer, "--output", "json")
	count := 0
	for line := range strings.Lines(asJSON.Out) {
		var l struct{ Type string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Type == "finding" {
			count++
		}
	}
	shown := strings.Count(r.Out, "WRITER  ") // the header, and a line each
	if shown != 1+100 || count <= 100 || !strings.Contains(r.Err, fmt.Sprintf("%d more are not shown", count-100)) {
		t.Errorf("%d lines for people, %d for programs; %s", shown, count, r.Err)
	}
}
