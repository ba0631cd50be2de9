package configs_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sark/configs"
)

// TestFiles changes what a configuration was read from, in the ways in which that happens, and asks whether another Load
// would read something else.
func TestFiles(t *testing.T) {
	const file, secret = "sark.yaml", "token"
	tests := []struct {
		name   string
		change func(t *testing.T, dir string)
		want   bool
	}{
		{"nothing", func(*testing.T, string) {}, false},
		{"the file is written again as it was", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, secret), "one")
		}, false},
		{"another file beside it", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "other"), "x") }, false},
		{"the file", func(t *testing.T, dir string) { write(t, filepath.Join(dir, file), "environment: test") }, true},
		{"a secret with the same size and time", func(t *testing.T, dir string) {
			path := filepath.Join(dir, secret)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, "two")
			if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a secret is gone", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, secret)); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a secret is cut", func(t *testing.T, dir string) { write(t, filepath.Join(dir, secret), "") }, false},
		{"a rename", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "new"), "environment: test")
			if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, secret), "one")
			write(t, filepath.Join(dir, file), "authn: {jwt: {issuer: 'https://i', audience: 'https://a', algorithms: [HS256], key_file: '"+filepath.Join(dir, secret)+"'}}")
			var files configs.Files
			_, _ = configs.Load(configs.Options{File: filepath.Join(dir, file), Files: &files}) // the key is too short: a failed Load counts, too

			test.change(t, dir)

			equal(t, test.want, files.Look() != files.Loaded())
		})
	}
}

// TestFilesOfKubernetes switches the symbolic link of a mounted volume.
func TestFilesOfKubernetes(t *testing.T) {
	dir := t.TempDir()
	mount := func(version, text string) {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "sark.yaml"), text)
		link := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(version, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	mount("..2026_11_28", "environment: one")
	file := filepath.Join(dir, "sark.yaml")
	if err := os.Symlink(filepath.Join("..data", "sark.yaml"), file); err != nil {
		t.Fatal(err)
	}
	var files configs.Files
	mustLoad(t, configs.Options{File: file, Files: &files})

	mount("..2026_11_29", "environment: two")

	equal(t, true, files.Look() != files.Loaded())
	equal(t, "two", mustLoad(t, configs.Options{File: file, Files: &files}).Config.Environment)
	equal(t, files.Loaded(), files.Look())
}

// TestFilesOfAPipe reads a configuration from where it can be read once only: looking again must neither wait nor take the
// end for a change.
func TestFilesOfAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go write(t, path, "environment: piped")
	var files configs.Files

	loaded := mustLoad(t, configs.Options{File: path, Files: &files})

	equal(t, "piped", loaded.Config.Environment)
	equal(t, files.Loaded(), files.Look())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}
