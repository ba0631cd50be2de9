package authz_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sark/authz"
)

// signNumbered makes a signed bundle with that metadata, whose rule is its revision.
func (k signingKey) signNumbered(t *testing.T, revision, metadata string) []byte {
	t.Helper()
	return k.signFiles(t, map[string]string{
		"policy.rego": `package sark
decision := {"allow": true, "rule": data.number}`,
		"data.json": `{"number": "` + revision + `"}`,
		".manifest": `{"revision": "` + revision + `", "metadata": ` + metadata + `}`,
	}, nil)
}

// TestNumberedBundles: a signed bundle whose manifest has a sequence gives way to a higher one only, and says so.
func TestNumberedBundles(t *testing.T) {
	var bundles bundleServer
	server := httptest.NewServer(&bundles)
	defer server.Close()
	key := newSigningKey(t)
	e := open(t, authz.Options{OPA: signedBundles(server.URL, key)})
	for _, step := range []struct{ revision, metadata, inForce string }{
		{"1", `{"sequence": "x"}`, ""},
		{"1", `{}`, "1"},
		{"2", `{"sequence": 9}`, "2"},
		{"3", `{"sequence": 10}`, "3"},
		{"2", `{"sequence": 9}`, "3"},
		{"1", `{}`, "3"},
		{"4", `{"sequence": 10.5}`, "3"},
		{"3", `{"sequence": 10}`, "3"},
		{"4", `{"sequence": 1764345600}`, "4"},
		{"3", `{"sequence": 10}`, "4"},
	} {
		bundles.serve(key.signNumbered(t, step.revision, step.metadata))
		err := e.Reload(t.Context())
		if taken := step.revision == step.inForce; (err == nil) != taken || (e.LastError() == nil) != taken {
			t.Errorf("%+v: error %v, last error %v", step, err, e.LastError())
		}
		if d := e.Decide(t.Context(), callTool(analyst(), `{}`)); d.Rule != step.inForce || d.Revision != step.inForce {
			t.Errorf("%+v: decision %+v", step, d)
		}
	}
}

// TestNumberedBundlesAcrossRestarts: an engine that starts takes no bundle that is older than what an engine before it had in
// force, until somebody says in the file that it may.
func TestNumberedBundlesAcrossRestarts(t *testing.T) {
	var bundles bundleServer
	server := httptest.NewServer(&bundles)
	defer server.Close()
	key, file := newSigningKey(t), filepath.Join(t.TempDir(), "sequences.json")
	for _, step := range []struct {
		name, revision, metadata string
		taken                    bool
		before                   func() error
	}{
		{name: "first", revision: "1", metadata: `{"sequence": 9}`, taken: true},
		{name: "newer", revision: "2", metadata: `{"sequence": 10}`, taken: true},
		{name: "older", revision: "1", metadata: `{"sequence": 9}`},
		{name: "without a number", revision: "0", metadata: `{}`},
		{name: "the same again", revision: "2", metadata: `{"sequence": 10}`, taken: true},
		{
			name: "older, on purpose", revision: "1", metadata: `{"sequence": 9}`, taken: true,
			before: func() error { return os.WriteFile(file, []byte(`{}`), 0o600) },
		},
		{name: "newer again", revision: "2", metadata: `{"sequence": 10}`, taken: true},
		{
			name: "older, without the file", revision: "1", metadata: `{"sequence": 9}`, taken: true,
			before: func() error { return os.Remove(file) },
		},
	} {
		if step.before != nil {
			if err := step.before(); err != nil {
				t.Fatal(err)
			}
		}
		bundles.serve(key.signNumbered(t, step.revision, step.metadata))
		e := open(t, authz.Options{OPA: signedBundles(server.URL, key), SequenceFile: file})
		err := e.Reload(t.Context())
		d := e.Decide(t.Context(), callTool(analyst(), `{}`))
		if (err == nil) != step.taken || d.Allow != step.taken || (e.Ready() == nil) != step.taken {
			t.Errorf("%s: error %v, decision %+v, ready %v", step.name, err, d, e.Ready())
		}
		if !step.taken && !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %q does not say where to allow it", step.name, err)
		}
		e.Close(t.Context())
	}
}

// TestDamagedSequences: what cannot be read is not taken for nothing, which would allow every older bundle.
func TestDamagedSequences(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sequences.json")
	for name, text := range map[string]string{"cut off": `{"sark": 1`, "empty": "", "no number": `{"sark": "9"}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := authz.Open(t.Context(), authz.Options{OPA: signedBundles("http://127.0.0.1:1", newSigningKey(t)), SequenceFile: file})
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v, want one that names the file", name, err)
		}
	}
}

// TestSequenceOfLocalPolicy: numbers of a local policy are not kept: whoever writes it needs none to go back.
func TestSequenceOfLocalPolicy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sequences.json")
	for _, n := range []string{"10", "9"} {
		dir := writeFiles(t, map[string]string{
			"policy.rego": "package sark\n\ndecision := {\"allow\": true}",
			".manifest":   `{"metadata": {"sequence": ` + n + `}}`,
		})
		e := open(t, authz.Options{Bundle: dir, SequenceFile: file})
		if d := e.Decide(t.Context(), callTool(analyst(), `{}`)); !d.Allow {
			t.Errorf("sequence %s: decision %+v", n, d)
		}
		e.Close(t.Context())
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the number of a local policy is kept")
	}
}

// TestSequenceThatCannotBeKept: a newer policy comes into force although its number cannot be written down.
func TestSequenceThatCannotBeKept(t *testing.T) {
	var bundles bundleServer
	server := httptest.NewServer(&bundles)
	defer server.Close()
	key := newSigningKey(t)
	e := open(t, authz.Options{
		OPA: signedBundles(server.URL, key), SequenceFile: filepath.Join(t.TempDir(), "none", "sequences.json"),
	})
	bundles.serve(key.signNumbered(t, "2", `{"sequence": 10}`))
	if err := e.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	bundles.serve(key.signNumbered(t, "1", `{"sequence": 9}`))
	if err := e.Reload(t.Context()); err == nil {
		t.Error("an older bundle is taken after that")
	}
}

// TestOlderBundleInOPAsStatus: what OPA reports of itself agrees with the engine. It says which bundle failed and why, and goes
// on to name the revision that is in force.
func TestOlderBundleInOPAsStatus(t *testing.T) {
	type status struct {
		Bundles map[string]struct {
			ActiveRevision string `json:"active_revision"`
			Code, Message  string
		}
	}
	var bundles bundleServer
	reports := make(chan status, 16) // more than are sent
	mux := http.NewServeMux()
	mux.Handle("/b.tar.gz", &bundles)
	mux.HandleFunc("POST /status", func(_ http.ResponseWriter, r *http.Request) {
		var s status
		if json.NewDecoder(r.Body).Decode(&s) == nil {
			reports <- s
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	key := newSigningKey(t)
	config := signedBundles(server.URL, key)
	config["status"] = map[string]any{"service": "bundles"}
	e := open(t, authz.Options{OPA: config})
	bundles.serve(key.signNumbered(t, "2", `{"sequence": 10}`))
	if err := e.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	bundles.serve(key.signNumbered(t, "1", `{"sequence": 9}`))
	if err := e.Reload(t.Context()); err == nil {
		t.Fatal("an older bundle is taken")
	}
	for {
		select {
		case s := <-reports:
			b := s.Bundles["sark"]
			if b.Code == "" { // of the bundle before
				continue
			}
			if b.ActiveRevision != "2" || !strings.Contains(b.Message, "is older") {
				t.Errorf("OPA reports %+v, want revision 2 in force and why 1 is not", b)
			}
			return
		case <-t.Context().Done():
			t.Fatal("OPA reports no failure")
		}
	}
}

// TestOlderBundleStaysRefused: a server that fails and then serves the refused bundle again does not make it the one in force,
// and OPA never says that it has that one already.
func TestOlderBundleStaysRefused(t *testing.T) {
	polls := newPollServer()
	server := httptest.NewServer(polls)
	t.Cleanup(server.Close)
	key := newSigningKey(t)
	e := open(t, authz.Options{OPA: signedBundles(server.URL, key)})
	older := key.signNumbered(t, "1", `{"sequence": 9}`)
	for _, step := range []struct {
		name, etag string
		body       []byte
		ok         bool
	}{
		{"first", `"10"`, key.signNumbered(t, "2", `{"sequence": 10}`), true},
		{"older", `"9"`, older, false},
		{"nonsense", `"x"`, []byte("no archive"), false},
		{"older again", `"9"`, older, false},
		{"newer", `"11"`, key.signNumbered(t, "2", `{"sequence": 11}`), true},
	} {
		polls.serve(step.body, step.etag)
		if err := e.Reload(t.Context()); (err == nil) != step.ok || (e.LastError() == nil) != step.ok || e.Revision() != "2" {
			t.Errorf("%s: error %v, last error %v, revision %q", step.name, err, e.LastError(), e.Revision())
		}
	}
	if n := polls.answered(http.StatusNotModified); n != 0 {
		t.Errorf("%d answers were 304, want none", n)
	}
}
