package testkit

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// timescaleURL names a TimescaleDB server; unset, PGlite is one.
const timescaleURL = "SARK_TEST_TIMESCALE_URL"

//go:embed timescale/package.json timescale/package-lock.json timescale/.npmrc timescale/server.mjs
var timescaleFiles embed.FS

// Timescale returns the URL of a database with TimescaleDB under its full
// license, for one test alone: a new one on the server that
// SARK_TEST_TIMESCALE_URL names, else PGlite under Node, fetched by npm once and
// then kept in the user's cache. PGlite has one session for all connections, no
// background workers and, being WebAssembly, no speed. Where it cannot be had
// the test is skipped, and in CI it fails.
func Timescale(t testing.TB) string {
	t.Helper()
	if server := os.Getenv(timescaleURL); server != "" {
		name := database(t, server)
		execute(t, name, `CREATE EXTENSION IF NOT EXISTS timescaledb`)
		return name
	}
	dir, err := installTimescale()
	if err != nil {
		without(t, "no TimescaleDB: set "+timescaleURL+", or install npm: .ci/install-missing npm: "+err.Error())
	}
	return runTimescale(t, dir)
}

// installTimescale fetches PGlite into a folder of the user's cache that is
// named by what is in it, and appears there whole or not at all.
func installTimescale() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	names := []string{"package.json", "package-lock.json", ".npmrc", "server.mjs"}
	texts := make(map[string][]byte)
	for _, name := range names {
		if texts[name], err = timescaleFiles.ReadFile("timescale/" + name); err != nil {
			return "", err
		}
		sum.Write(texts[name])
	}
	dir := filepath.Join(cache, "sark-test", fmt.Sprintf("timescale-%x", sum.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", err
	}
	draft, err := os.MkdirTemp(filepath.Dir(dir), "draft-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(draft) //nolint:errcheck // it is gone when all went well
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(draft, name), text, 0o600); err != nil {
			return "", err
		}
	}
	npm := exec.Command("npm", "ci")
	npm.Dir = draft
	if output, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, output)
	}
	if err := os.Rename(draft, dir); err != nil && !os.IsExist(err) { // or another test was faster
		return "", err
	}
	return dir, nil
}

// runTimescale starts the server and returns its URL.
func runTimescale(t testing.TB, dir string) string {
	t.Helper()
	node := exec.Command("node", "server.mjs")
	node.Dir, node.Stderr = dir, os.Stderr
	input, err := node.StdinPipe() // closed by our end, however it comes
	if err != nil {
		t.Fatal(err)
	}
	output, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatalf("start PGlite: %v", err)
	}
	t.Cleanup(func() {
		if err := input.Close(); err != nil {
			t.Errorf("end PGlite: %v", err)
		}
		if err := node.Wait(); err != nil {
			t.Errorf("PGlite: %v", err)
		}
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	port, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || convErr != nil {
		t.Fatalf("PGlite did not start: %v", err)
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable&default_query_exec_mode=exec", port)
}
