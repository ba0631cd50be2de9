package authz_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"sark/authz"
)

// bundleServer serves what the test puts into it; nil is an error 500.
type bundleServer struct{ body atomic.Pointer[[]byte] }

func (s *bundleServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	body := s.body.Load()
	if body == nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	_, _ = w.Write(*body)
}

func (s *bundleServer) serve(body []byte) { s.body.Store(&body) }

// TestRemoteBundle: no policy is a deny, and the last good policy outlives a server that is down or serves nonsense.
func TestRemoteBundle(t *testing.T) {
	var bundles bundleServer
	server := httptest.NewServer(&bundles)
	defer server.Close()
	e := open(t, authz.Options{OPA: map[string]any{
		"services": map[string]any{"bundles": map[string]any{"url": server.URL}},
		"bundles":  map[string]any{"sark": map[string]any{"service": "bundles", "resource": "b.tar.gz", "trigger": "manual"}},
	}})
	steps := []struct {
		name     string
		serve    func()
		revision string
		ok       bool
	}{
		{"down at start", func() {}, "", false},
		{"first", func() { bundles.serve(packBundle(t, 1)) }, "1", true},
		{"nonsense", func() { bundles.serve([]byte("no archive")) }, "1", false},
		{"down", func() { bundles.body.Store(nil) }, "1", false},
		{"same again", func() { bundles.serve(packBundle(t, 1)) }, "1", true},
		{"next", func() { bundles.serve(packBundle(t, 2)) }, "2", true},
	}
	for _, step := range steps {
		step.serve()
		err := e.Reload(t.Context())
		if (err == nil) != step.ok || (e.LastError() == nil) != step.ok || e.Revision() != step.revision {
			t.Errorf("%s: error %v, last error %v, revision %q", step.name, err, e.LastError(), e.Revision())
		}
		d := e.Decide(t.Context(), callTool(analyst(), `{}`))
		if ready := step.revision != ""; d.Allow != ready || (e.Ready() == nil) != ready {
			t.Errorf("%s: ready %v, decision %+v", step.name, e.Ready(), d)
		}
	}
}

// TestUnsignedBundleIsRefused: a bundle that was not signed with the configured key never comes into force.
func TestUnsignedBundleIsRefused(t *testing.T) {
	var bundles bundleServer
	bundles.serve(packBundle(t, 1))
	server := httptest.NewServer(&bundles)
	defer server.Close()
	e := open(t, authz.Options{OPA: map[string]any{
		"services": map[string]any{"bundles": map[string]any{"url": server.URL}},
		"keys":     map[string]any{"k": map[string]any{"algorithm": "HS256", "key": "secret"}},
		"bundles": map[string]any{"sark": map[string]any{
			"service": "bundles", "resource": "b.tar.gz", "trigger": "manual", "signing": map[string]any{"keyid": "k"},
		}},
	}})
	if err := e.Reload(t.Context()); err == nil {
		t.Error("reloaded")
	}
	if d := e.Decide(t.Context(), callTool(admin(), `{}`)); d.Allow || d.Reason != authz.ReasonUnavailable {
		t.Errorf("decision %+v", d)
	}
}

// TestOPAConfigurationWithoutBundles: an OPA configuration may be for decision logs only. The policy is the built-in one then.
func TestOPAConfigurationWithoutBundles(t *testing.T) {
	e := open(t, authz.Options{OPA: map[string]any{"labels": map[string]any{"site": "test"}}})
	if err := e.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
	if d := e.Decide(t.Context(), callTool(admin(), `{}`)); !d.Allow || d.Rule != "rbac.admin" {
		t.Errorf("decision %+v, want that of the built-in policy", d)
	}
}
