package app_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// decisionLogs is a service to which OPA uploads decisions.
type decisionLogs struct {
	mu     sync.Mutex
	events []map[string]any // guarded by mu
}

// ServeHTTP implements http.Handler.
func (l *decisionLogs) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var events []map[string]any
	if z, err := gzip.NewReader(r.Body); err == nil && json.NewDecoder(z).Decode(&events) == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, events...)
	}
}

// policyDir writes a policy.
func policyDir(t *testing.T, rules string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.rego"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDecisionsAreFollowed runs a gateway with a shadow policy, recorded inputs and decision logs: one call leaves its event,
// the verdict of the candidate beside it, its input, and a decision log entry, all with one decision id.
func TestDecisionsAreFollowed(t *testing.T) {
	logs := &decisionLogs{}
	server := httptest.NewServer(logs)
	t.Cleanup(server.Close)
	policy := policyDir(t, `package sark
decision := {"allow": true, "rule": "old"}`)
	mask := "package system.log\nmask contains \"/input/mcp/arguments\"\ndrop if input.input.action != \"tool:invoke\"\n"
	if err := os.WriteFile(filepath.Join(policy, "mask.rego"), []byte(mask), 0o600); err != nil {
		t.Fatal(err)
	}
	candidate := policyDir(t, `package sark
decision := {"allow": input.tool.name != "note", "rule": "new", "reason": "no notes"}`)
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, configure(t, dir, upstream.URL()+"/mcp", "audit: {batch_interval: 10ms}", fmt.Sprintf(`authz:
  bundle: %s
  shadow: {bundle: %s}
  inputs: {sample: 100}
  opa:
    services: {logs: {url: %q}}
    decision_logs: {service: logs, reporting: {min_delay_seconds: 1, max_delay_seconds: 2}}
`, policy, candidate, server.URL)))
	user := over(g.Proxy, newKey(t, dir, "analyst"))
	for _, tool := range []string{"echo", "note"} {
		body := strings.Replace(toolCall(tool), `"arguments":{}`, `"arguments":{"text":"private words"}`, 1)
		if r := user.post(t, "/mcp", body); r.Status != 200 {
			t.Fatalf("%s: %d", tool, r.Status)
		}
	}
	g.stop(t)

	var ids, flips, brief []string
	for _, e := range stored(t, dir) {
		if e.EventType == "policy_shadow_flip" {
			flips = append(flips, strings.Join([]string{e.ToolName, e.UserID, e.Decision, e.Shadow, e.Rule, e.Reason, e.DecisionID.String()}, " "))
			continue
		}
		ids = append(ids, e.DecisionID.String())
		brief = append(brief, e.ToolName+" "+e.Decision+" "+e.Rule)
	}
	if diff := cmp.Diff([]string{"echo allow old", "note allow old"}, brief); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"note analyst@example.com allow deny new no notes " + ids[1]}, flips); diff != "" {
		t.Errorf("flips (-want +got):\n%s", diff)
	}
	checkInputs(t, dir, ids)
	checkLogs(t, logs, ids)
}

func checkInputs(t *testing.T, dir string, ids []string) {
	t.Helper()
	var got []string
	for in, err := range openStore(t, dir).DecisionInputs(t.Context(), time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Action   string `json:"action"`
			Recorded struct {
				Arguments     string `json:"arguments"`
				ArgumentsHash string `json:"arguments_hash"`
			} `json:"recorded"`
		}
		if err := json.Unmarshal(in.Input, &doc); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(in.Input), "private words") || len(doc.Recorded.ArgumentsHash) != 64 {
			t.Errorf("recorded: %s", in.Input)
		}
		got = append(got, fmt.Sprintln(in.DecisionID, in.Allow, in.Rule, doc.Action, doc.Recorded.Arguments))
	}
	want := []string{fmt.Sprintln(ids[0], true, "old", "tool:invoke digest"), fmt.Sprintln(ids[1], true, "old", "tool:invoke digest")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func checkLogs(t *testing.T, logs *decisionLogs, ids []string) {
	t.Helper()
	logs.mu.Lock()
	defer logs.mu.Unlock()
	var got []string
	for _, e := range logs.events {
		text, err := json.Marshal(e["input"])
		if err != nil || strings.Contains(string(text), `"arguments"`) {
			t.Errorf("logged input: %s, error %v", text, err)
		}
		result, _ := e["result"].(map[string]any)
		got = append(got, fmt.Sprint(e["decision_id"], " ", e["path"], " ", result["allow"]))
	}
	if diff := cmp.Diff([]string{ids[0] + " sark/decision true", ids[1] + " sark/decision true"}, got); diff != "" {
		t.Errorf("decision logs (-want +got):\n%s", diff)
	}
}
