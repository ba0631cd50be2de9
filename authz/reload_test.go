package authz_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sark/authz"
)

// numbered is a policy whose rule and data both name their revision.
func numbered(n int) map[string]string {
	return map[string]string{
		"policy.rego": fmt.Sprintf("package sark\ndecision := {\"allow\": true, \"rule\": \"%d\", \"reason\": data.number}", n),
		"data.json":   fmt.Sprintf(`{"number": "%d"}`, n),
		".manifest":   fmt.Sprintf(`{"revision": "%d"}`, n),
	}
}

// revisionOf returns the revision that rule, data and bundle agree on.
func revisionOf(t *testing.T, d authz.Decision) string {
	t.Helper()
	if !d.Allow || d.Rule != d.Reason || d.Rule != d.Revision {
		t.Errorf("one decision of several revisions: %+v", d)
	}
	return d.Revision
}

func TestReload(t *testing.T) {
	registry := prometheus.NewRegistry()
	dir := writeFiles(t, numbered(1))
	e := open(t, authz.Options{Bundle: dir, WatchInterval: -1, Metrics: registry})
	decideRevision := func() string { return revisionOf(t, e.Decide(t.Context(), callTool(analyst(), `{}`))) }
	if got := decideRevision(); got != "1" {
		t.Fatalf("revision %q at start", got)
	}

	replaceFiles(t, dir, numbered(2))
	if err := e.Reload(t.Context()); err != nil || decideRevision() != "2" {
		t.Errorf("after a good change: error %v, revision %q", err, e.Revision())
	}

	for name, broken := range map[string]map[string]string{
		"syntax":      {"policy.rego": "package sark\ndecision := {"},
		"type":        {"policy.rego": "package sark\ndecision := nothing(1)"},
		"data":        {"policy.rego": "package sark\ndecision := 1", "data.json": "{"},
		"entry point": {"policy.rego": "package sark\nother := 1", "data.json": "{}"},
		"conflict":    {"policy.rego": "package sark\ndecision := 1", "data.json": `{"sark":{"decision":2}}`},
	} {
		replaceFiles(t, dir, broken)
		if err := e.Reload(t.Context()); err == nil || e.LastError() == nil {
			t.Errorf("%s: error %v, last error %v", name, err, e.LastError())
		}
		if err := e.Ready(); err != nil || decideRevision() != "2" {
			t.Errorf("%s: the last good policy is not in force: %v, revision %q", name, err, e.Revision())
		}
	}
	if got, err := testutil.GatherAndCount(registry, "sark_authz_reloads_total"); err != nil || got != 2 {
		t.Errorf("%d results of reloads counted, error %v; want success and error", got, err)
	}

	replaceFiles(t, dir, numbered(3))
	if err := e.Reload(t.Context()); err != nil || decideRevision() != "3" || e.LastError() != nil {
		t.Errorf("after the repair: error %v, revision %q, last error %v", err, e.Revision(), e.LastError())
	}
}

// TestReloadUnderLoad: while policy and data change together, no decision sees one without the other, and none goes back.
func TestReloadUnderLoad(t *testing.T) {
	const revisions = 20
	dir := writeFiles(t, numbered(1))
	e := open(t, authz.Options{Bundle: dir, WatchInterval: -1})
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			last := 0
			for ctx.Err() == nil {
				var n int
				revision := revisionOf(t, e.Decide(context.Background(), callTool(analyst(), `{}`)))
				if _, err := fmt.Sscan(revision, &n); err != nil || n < last {
					t.Errorf("revision %q after %d: %v", revision, last, err)
					return
				}
				last = n
			}
		})
	}
	for n := 2; n <= revisions; n++ {
		replaceFiles(t, dir, numbered(n))
		if err := e.Reload(t.Context()); err != nil || e.Revision() != fmt.Sprint(n) {
			t.Errorf("reload %d: error %v, revision %q", n, err, e.Revision())
		}
	}
	stop()
	callers.Wait()
}

func TestReloadOfBuiltInPolicy(t *testing.T) {
	e := open(t, authz.Options{})
	before := e.Revision()
	if err := e.Reload(t.Context()); err != nil || e.Revision() != before {
		t.Errorf("error %v, revision %q, was %q", err, e.Revision(), before)
	}
}

func TestBundleFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	writeBundle(t, path, 1)
	e := open(t, authz.Options{Bundle: path, WatchInterval: -1})
	if got := revisionOf(t, e.Decide(t.Context(), callTool(analyst(), `{}`))); got != "1" {
		t.Errorf("revision %q", got)
	}
	writeBundle(t, path, 2)
	if err := e.Reload(t.Context()); err != nil || e.Revision() != "2" {
		t.Errorf("error %v, revision %q", err, e.Revision())
	}
	if err := os.WriteFile(path, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Reload(t.Context()); err == nil || e.Revision() != "2" {
		t.Errorf("a file that is no archive: error %v, revision %q", err, e.Revision())
	}
}

// packBundle makes the archive that "opa build" would make of the numbered policy.
func packBundle(t *testing.T, n int) []byte {
	t.Helper()
	return packFiles(t, numbered(n))
}

func packFiles(t *testing.T, files map[string]string) []byte {
	t.Helper()
	b, err := bundle.NewCustomReader(bundle.NewDirectoryLoader(writeFiles(t, files))).Read()
	if err != nil {
		t.Fatal(err)
	}
	var buf strings.Builder
	if err := bundle.NewWriter(&buf).Write(b); err != nil {
		t.Fatal(err)
	}
	return []byte(buf.String())
}

func writeBundle(t *testing.T, path string, n int) {
	t.Helper()
	if err := os.WriteFile(path, packBundle(t, n), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWatch changes local policies in the ways that they are changed in production, and waits for the new one.
func TestWatch(t *testing.T) {
	t.Run("file in place", func(t *testing.T) {
		dir := writeFiles(t, numbered(1))
		watched(t, dir, func() { replaceFiles(t, dir, numbered(22)) })
	})
	t.Run("new file", func(t *testing.T) {
		dir := writeFiles(t, map[string]string{
			"policy.rego": "package sark\ndecision := {\"allow\": true, \"rule\": \"x\", \"reason\": data.number}",
		})
		watched(t, dir, func() { replaceFiles(t, dir, numbered(22)) })
	})
	t.Run("archive", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bundle.tar.gz")
		writeBundle(t, path, 1)
		watched(t, path, func() { writeBundle(t, path, 22) })
	})
	t.Run("mounted volume", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, dir, "..2026_11_22", numbered(1))
		for name := range numbered(1) {
			link(t, filepath.Join("..data", name), filepath.Join(dir, name))
		}
		watched(t, dir, func() { mount(t, dir, "..2026_11_23", numbered(22)) })
	})
	t.Run("link to a release", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, dir, "v1", numbered(1))
		watched(t, filepath.Join(dir, "..data"), func() { mount(t, dir, "v2", numbered(22)) })
	})
}

// watched opens a watching engine, changes the policy to revision 22 (of another size: two writes may have one time), and waits until it is in force.
func watched(t *testing.T, path string, change func()) {
	t.Helper()
	installed := make(chan string, 8)
	e := open(t, authz.Options{Bundle: path, WatchInterval: time.Millisecond, Log: logTo(t, installed)})
	if first := <-installed; first != e.Revision() {
		t.Fatalf("log says revision %q, engine %q", first, e.Revision())
	}
	change()
	for revision := range installed {
		if revision == "22" {
			return
		}
	}
}

// mount makes a directory of files and points ..data at it, as a Kubernetes volume does.
func mount(t *testing.T, root, name string, files map[string]string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(root, name), 0o750); err != nil {
		t.Fatal(err)
	}
	replaceFiles(t, filepath.Join(root, name), files)
	link(t, name, filepath.Join(root, "..data"))
}

// link makes or replaces a symbolic link at once.
func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
