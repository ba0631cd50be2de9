package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/store"
	"sark/store/spool"
	"sark/store/storetest"
)

// signedInto records ten events, ships them into a database and signs them, as a gateway with that data directory does.
func signedInto(t *testing.T, db store.Sink, dir string) {
	t.Helper()
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
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: s, Sink: db, Batch: 4, DeadDir: filepath.Join(dir, "dead"), Key: key, Log: zap.NewNop(),
	})
	must(err)
	for n := range 10 {
		ticket, err := s.Reserve(nil)
		must(err)
		e := storetest.Event(n)
		ticket.Record(&e)
	}
	must(shipper.Flush(t.Context()))
	must(s.Close(t.Context()))
}

// TestExportFromEachStore exports and verifies in every format, and finds a byte that was changed afterwards.
func TestExportFromEachStore(t *testing.T) {
	onEachStore(t, func(t *testing.T, db store.Sink, dir string, environ []string) {
		signedInto(t, db, dir)
		key := publicKey(t, dir)
		for _, format := range []string{"ndjson", "ocsf", "parquet"} {
			path := filepath.Join(t.TempDir(), "audit."+format)
			export := func(flags ...string) result {
				return runWith(t, environ, "", append([]string{"audit", "export", "--data-dir", dir, "--out", path, "--format", format}, flags...)...)
			}
			verify := func() result {
				return run(t, "audit", "verify", "--export", path, "--public-key", key, "--data-dir", t.TempDir())
			}
			if r := export(); r.Code != 0 || !strings.HasPrefix(r.Out, "10 events of 1 writer in "+path) {
				t.Fatalf("export as %s: %+v", format, r)
			}
			if r := verify(); r.Code != 0 || !strings.HasPrefix(r.Out, "10 events of 1 writer") {
				t.Errorf("verify %s: %+v", format, r)
			}
			if r := export("--force", "--severity", "medium", "--phase", "single"); r.Code != 0 || !strings.HasPrefix(r.Out, "2 events") {
				t.Errorf("export of some events as %s: %+v", format, r)
			}
			if r := verify(); r.Code != 0 {
				t.Errorf("verify some events in %s: %+v", format, r)
			}
			spoilFile(t, path)
			if r := verify(); r.Code != 1 || !strings.Contains(r.Err, "is not the one that was exported") {
				t.Errorf("verify changed %s: %+v", format, r)
			}
			if diff := cmp.Diff([]string{"", ".digests.ndjson", ".manifest.json"}, suffixes(t, path)); diff != "" {
				t.Errorf("files of the export (-want +got):\n%s", diff)
			}
		}
	})
}

// spoilFile changes one byte in the middle of a file.
func spoilFile(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// suffixes are what the names in the folder of a file have behind its own.
func suffixes(t *testing.T, path string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, strings.TrimPrefix(e.Name(), filepath.Base(path)))
	}
	return list
}

// TestExportThatFails leaves nothing under the names of the export when these cannot all be given: no events without a
// manifest, no manifest of an earlier export, no drafts.
func TestExportThatFails(t *testing.T) {
	dir, _ := signedTrail(t)
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	export := []string{"audit", "export", "--data-dir", dir, "--out", path, "--force"}
	if r := run(t, export...); r.Code != 0 {
		t.Fatalf("export: %+v", r)
	}
	digests := path + ".digests.ndjson"
	if err := os.Remove(digests); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(digests, 0o700); err != nil { // no file can take this name
		t.Fatal(err)
	}

	r := run(t, export...)

	if r.Code != 1 {
		t.Errorf("export: %+v", r)
	}
	if diff := cmp.Diff([]string{".digests.ndjson"}, suffixes(t, path)); diff != "" {
		t.Errorf("what is left beside the folder (-want +got):\n%s", diff)
	}
}
