package authz_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sark/authz"
	"sark/internal/testkit"
)

// controlPlane is a real OPA control plane: it serves a discovery document and a bundle, and takes status reports and decision
// logs.
type controlPlane struct {
	*httptest.Server
	discovery, bundle bundleServer
	reports           chan map[string]any   // capacity 100; more are an error 500
	logs              chan []loggedDecision // the same
}

// loggedDecision is what the test reads of a decision log.
type loggedDecision struct {
	DecisionID string `json:"decision_id"`
}

func newControlPlane(t *testing.T) *controlPlane {
	t.Helper()
	p := &controlPlane{reports: make(chan map[string]any, 100), logs: make(chan []loggedDecision, 100)}
	mux := http.NewServeMux()
	mux.Handle("GET /discovery.tar.gz", &p.discovery)
	mux.Handle("GET /b.tar.gz", &p.bundle)
	mux.HandleFunc("POST /status", take(p.reports))
	mux.HandleFunc("POST /logs", take(p.logs))
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// take hands over what is posted.
func take[T any](to chan<- T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			from = unpacked
		}
		var body T
		if err := json.NewDecoder(from).Decode(&body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		select {
		case to <- body:
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

// discover serves a configuration.
func (p *controlPlane) discover(t *testing.T, config string) {
	t.Helper()
	p.discovery.serve(packFiles(t, map[string]string{"data.json": `{"discovery": ` + config + `}`}))
}

// discoveryConfig is the OPA configuration of an engine that is told the rest.
func (p *controlPlane) discoveryConfig() map[string]any {
	return map[string]any{
		"services":  map[string]any{"plane": map[string]any{"url": p.URL}},
		"discovery": map[string]any{"service": "plane", "resource": "discovery.tar.gz", "decision": "discovery", "trigger": "manual"},
	}
}

// TestDiscovery: where bundles are is discovered. Nothing is allowed before, each failure shows, and what was discovered last
// stays in force while the server is down or serves nonsense.
func TestDiscovery(t *testing.T) {
	p := newControlPlane(t)
	p.bundle.serve(packBundle(t, 1))
	e := open(t, authz.Options{OPA: p.discoveryConfig()})
	const bundles = `{"bundles": {"sark": {"service": "plane", "resource": "b.tar.gz"}}}`
	for _, step := range []struct {
		name     string
		serve    func()
		revision string
		trouble  string
	}{
		{"down at start", func() {}, "", "Internal Server Error"},
		{"no bundles", func() { p.discover(t, `{"labels": {"site": "test"}}`) }, "", "names no bundles"},
		{"bundles", func() { p.discover(t, bundles) }, "1", ""},
		{"nonsense", func() { p.discovery.serve([]byte("no archive")) }, "1", "discover"},
		{"no bundle", func() { p.discover(t, bundles); p.bundle.body.Store(nil) }, "1", "Internal Server Error"},
		{"another bundle", func() { p.bundle.serve(packBundle(t, 2)) }, "2", ""},
		{"bundles again", func() { p.discover(t, bundles) }, "2", ""},
	} {
		step.serve()
		err := e.Reload(t.Context())
		if (step.trouble == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), step.trouble) {
			t.Errorf("%s: error %v, want %q", step.name, err, step.trouble)
		}
		d := e.Decide(t.Context(), callTool(analyst(), `{}`))
		if ready := step.revision != ""; e.Revision() != step.revision || d.Allow != ready || (e.Ready() == nil) != ready {
			t.Errorf("%s: revision %q, ready %v, decision %+v", step.name, e.Revision(), e.Ready(), d)
		}
	}
}

// TestDiscoveredDecisionLogs: decision logs that are discovered get the decisions that come after.
func TestDiscoveredDecisionLogs(t *testing.T) {
	p := newControlPlane(t)
	p.bundle.serve(packBundle(t, 1))
	in := callTool(analyst(), `{}`)
	installed := make(chan string, 10)
	config := p.discoveryConfig()
	config["discovery"].(map[string]any)["trigger"] = "periodic"
	config["discovery"].(map[string]any)["polling"] = map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1}
	e := open(t, authz.Options{OPA: config, Log: logTo(t, installed)})
	d := e.Decide(t.Context(), in)
	if err := e.LogDecision(t.Context(), in, &d); err != nil || !e.LogsDecisions() {
		t.Errorf("before anything is discovered: error %v, logs decisions %v", err, e.LogsDecisions())
	}
	p.discover(t, `{"bundles": {"sark": {"service": "plane", "resource": "b.tar.gz"}},
		"decision_logs": {"service": "plane", "reporting": {"min_delay_seconds": 1, "max_delay_seconds": 1}}}`)
	testkit.Wait(t, testkit.Patience, installed)
	d = e.Decide(t.Context(), in)
	if err := e.LogDecision(t.Context(), in, &d); err != nil {
		t.Error(err)
	}
	if logged := testkit.Wait(t, testkit.Patience, p.logs); len(logged) != 1 || logged[0].DecisionID != d.ID.String() {
		t.Errorf("logged %+v, want decision %s", logged, d.ID)
	}
}

// TestStatusReports: an OPA control plane learns which revision is activated, and of what could not be.
func TestStatusReports(t *testing.T) {
	p := newControlPlane(t)
	p.bundle.serve(packBundle(t, 1))
	e := open(t, authz.Options{OPA: map[string]any{
		"labels":   map[string]any{"site": "test"},
		"services": map[string]any{"plane": map[string]any{"url": p.URL}},
		"bundles":  map[string]any{"sark": map[string]any{"service": "plane", "resource": "b.tar.gz", "trigger": "manual"}},
		"status":   map[string]any{"service": "plane", "trigger": "periodic"},
	}})
	if err := e.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.awaitReport(t, func(labels, sark map[string]any) bool {
		return labels["site"] == "test" && sark["active_revision"] == "1" && sark["code"] == nil
	})
	p.bundle.serve([]byte("no archive"))
	if err := e.Reload(t.Context()); err == nil {
		t.Error("nonsense was loaded")
	}
	p.awaitReport(t, func(_, sark map[string]any) bool {
		return sark["active_revision"] == "1" && sark["code"] == "bundle_error"
	})
}

// awaitReport reads reports until one is as wanted.
func (p *controlPlane) awaitReport(t *testing.T, wanted func(labels, sark map[string]any) bool) {
	t.Helper()
	for {
		report := testkit.Wait(t, testkit.Patience, p.reports)
		labels, _ := report["labels"].(map[string]any)
		bundles, _ := report["bundles"].(map[string]any)
		sark, _ := bundles["sark"].(map[string]any)
		if wanted(labels, sark) {
			return
		}
	}
}
