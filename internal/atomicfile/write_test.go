package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/atomicfile"
)

// TestWrite: a file is made and replaced, for its owner only, and nothing else is left in its folder.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, content := range []string{"first", "", "second"} {
		if err := atomicfile.Write(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("read %q, error %v; want %q", got, err, content)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info, err)
	}
	names(t, dir, "a")
}

// TestWriteFails: what cannot be replaced stays as it was, and no draft is left.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "a"), []byte("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if err := atomicfile.Write(filepath.Join(dir, "none", "a"), []byte("x")); err == nil {
		t.Error("a file was written into a folder that is not there")
	}
	names(t, dir, "a")
}

// TestSweep: drafts of the file go, and everything else stays.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "a.1.new", "a.22.new", "a.new", "ab.1.new", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.Sweep(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	names(t, dir, "a", "a.new", "ab.1.new", "b")
}

// names checks what is in a folder.
func names(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
