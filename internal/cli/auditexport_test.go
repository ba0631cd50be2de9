package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"go.uber.org/zap"

	"sark/internal/app"
	"sark/store"
	"sark/store/sqlite"
)

// publicKey is that of a data directory.
func publicKey(t *testing.T, dir string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "audit", "verify", "--print-key", "--data-dir", dir).Out)
}

// TestExport writes all events and verifies them without the database, event by event.
func TestExport(t *testing.T) {
	dir, _ := signedTrail(t)
	key, empty := publicKey(t, dir), t.TempDir()
	path := filepath.Join(t.TempDir(), "audit.ndjson")

	exported := run(t, "audit", "export", "--out", path, "--data-dir", dir)
	if exported.Code != 0 || !strings.HasPrefix(exported.Out, "10 events of 1 writer in "+path) {
		t.Fatalf("export: %+v", exported)
	}
	again := run(t, "audit", "export", "--out", path, "--data-dir", dir)
	if again.Code != 1 || !strings.Contains(again.Err, "--force") {
		t.Errorf("export over files that are there: %+v", again)
	}
	verified := run(t, "audit", "verify", "--export", path, "--public-key", key, "--data-dir", empty)
	if verified.Code != 0 || !strings.HasPrefix(verified.Out, "10 events of 1 writer in 3 signed batches") {
		t.Errorf("verify: %+v", verified)
	}
	direct := run(t, "audit", "verify", "--data-dir", dir)
	if diff := cmp.Diff(direct.Out, verified.Out); diff != "" {
		t.Errorf("what is said of the trail and of its export (-trail +export):\n%s", diff)
	}
}

// TestExportAfterRetention says of an export what it says of the trail, of which the beginning was removed for its age.
func TestExportAfterRetention(t *testing.T) {
	dir, _ := signedTrail(t)
	key, err := store.ReadDigestKey(app.DigestKeyPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: app.DatabasePath(dir), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // used up
	page, err := db.Events(t.Context(), store.EventFilter{})
	if err != nil || len(page.Items) != 10 {
		t.Fatalf("%d events, error %v", len(page.Items), err)
	}
	digests, err := db.Digests(t.Context(), page.Items[0].WriterID, 0, 10)
	if err != nil || len(digests) != 3 {
		t.Fatalf("%d digests, error %v", len(digests), err)
	}
	mark := store.NewRetentionMark(key, digests[0].CreatedAt.Add(time.Microsecond), "audit.retention: 24h0m0s", time.Now())
	for more := true; more; {
		step, err := db.Expire(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		more = step.More
	}

	path := filepath.Join(t.TempDir(), "audit.ndjson")
	if r := run(t, "audit", "export", "--out", path, "--data-dir", dir); r.Code != 0 {
		t.Fatalf("export: %+v", r)
	}
	direct := run(t, "audit", "verify", "--data-dir", dir)
	verified := run(t, "audit", "verify", "--export", path, "--public-key", publicKey(t, dir), "--data-dir", t.TempDir())

	if direct.Code != 0 || !strings.Contains(direct.Out, "expired") {
		t.Errorf("verify: %+v", direct)
	}
	if diff := cmp.Diff(direct.Out, verified.Out); diff != "" || verified.Code != 0 {
		t.Errorf("what is said of the trail and of its export (-trail +export):\n%s", diff)
	}
}

// TestExportAltered finds what was done to an export.
func TestExportAltered(t *testing.T) {
	dir, _ := signedTrail(t)
	key := publicKey(t, dir)
	replace := func(old, next string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			t.Helper()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Replace(text, []byte(old), []byte(next), 1)
			if bytes.Equal(text, changed) {
				t.Fatalf("there is no %s in %s", old, path)
			}
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		suffix string
		spoil  func(t *testing.T, path string)
		want   string
	}{
		"event":    {"", replace("user-1", "user-2"), "is not the one that was exported"},
		"digests":  {".digests.ndjson", replace("merkle_root", "Merkle_root"), "is not the one that was exported"},
		"manifest": {".manifest.json", replace(`"rows":10`, `"rows":11`), "not signed by a key that is trusted"},
		"missing":  {".digests.ndjson", func(t *testing.T, path string) { t.Helper(); _ = os.Remove(path) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.ndjson")
			if r := run(t, "audit", "export", "--out", path, "--data-dir", dir); r.Code != 0 {
				t.Fatalf("export: %+v", r)
			}
			c.spoil(t, path+c.suffix)
			r := run(t, "audit", "verify", "--export", path, "--public-key", key, "--data-dir", t.TempDir())
			if r.Code != 1 || !strings.Contains(r.Err, c.want) {
				t.Errorf("verify should say %q: %+v", c.want, r)
			}
		})
	}
}

// TestExportOfChangedTrail signs what is there, and the events themselves still tell.
func TestExportOfChangedTrail(t *testing.T) {
	dir, _ := signedTrail(t)
	spoil(t, dir, "UPDATE audit_events SET user_id = 'mallory' WHERE seq = 5")
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	if r := run(t, "audit", "export", "--out", path, "--data-dir", dir); r.Code != 0 {
		t.Fatalf("export: %+v", r)
	}
	r := run(t, "audit", "verify", "--export", path, "--data-dir", dir)
	if r.Code != 1 || !strings.Contains(r.Out, "changed") {
		t.Errorf("verify: %+v", r)
	}
}

// TestExportFormats counts what filters let through, in every format.
func TestExportFormats(t *testing.T) {
	dir, _ := signedTrail(t)
	out := t.TempDir()
	for _, format := range []string{"ndjson", "ocsf", "parquet"} {
		path := filepath.Join(out, "denials."+format)
		r := run(t, "audit", "export", "--format", format, "--decision", "deny", "--out", path, "--data-dir", dir)
		if r.Code != 0 || !strings.HasPrefix(r.Out, "2 events of 1 writer") {
			t.Errorf("export as %s: %+v", format, r)
		}
		if r := run(t, "audit", "verify", "--export", path, "--data-dir", dir); r.Code != 0 {
			t.Errorf("verify %s: %+v", format, r)
		}
	}
	type row struct {
		EventType string   `parquet:"event_type"`
		UserID    string   `parquet:"user_id,optional"`
		UserRoles []string `parquet:"user_roles"`
		Seq       int64    `parquet:"seq"`
		Timestamp int64    `parquet:"timestamp,timestamp(microsecond)"`
	}
	rows, err := parquet.ReadFile[row](filepath.Join(out, "denials.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	roles := []string{"analyst", "on call"}
	want := []row{
		{"authorization_denied", "user-0", roles, 4, 1795428003000000}, {"authorization_denied", "user-1", roles, 8, 1795428007000000},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows of the Parquet file (-want +got):\n%s", diff)
	}
}
