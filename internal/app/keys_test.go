package app // hashKey is not exported: whether the key is kept shows outside only as digests that change.

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHashKeyIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	first, err := hashKey("", dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := hashKey("", dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := hashKey("", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	if len(first) != 32 || !bytes.Equal(first, second) {
		t.Errorf("the key has %d bytes and is kept: %v", len(first), bytes.Equal(first, second))
	}
	if bytes.Equal(first, other) {
		t.Error("two directories have the same key")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = info.Mode().String()
	}
	if diff := cmp.Diff(map[string]string{"audit-hash.key": "-rw-------"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestConfiguredHashKeyIsNotKept(t *testing.T) {
	dir := t.TempDir()
	configured := strings.Repeat("k", 32)
	key, err := hashKey(configured, dir)
	if err != nil || string(key) != configured {
		t.Errorf("key %q, %v", key, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

// TestDamagedHashKeyIsRefused: a new key in place of a damaged one would break the comparison with old digests unnoticed.
func TestDamagedHashKeyIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "short": strings.Repeat("a", 62), "long": strings.Repeat("a", 66), "no digits": strings.Repeat("x", 64),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "audit-hash.key")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}

			_, err := hashKey("", dir)

			if err == nil || !strings.Contains(err.Error(), path+" is damaged") {
				t.Errorf("error %v does not name %s", err, path)
			}
			if kept, _ := os.ReadFile(path); string(kept) != content {
				t.Errorf("the file was changed to %q", kept)
			}
		})
	}
}

func TestUnreadableHashKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit-hash.key")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := hashKey("", dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name %s", err, path)
	}
}
