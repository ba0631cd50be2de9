package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// bundleOf writes a policy of one file, with its tests when there are any, and returns its directory.
func bundleOf(t *testing.T, rego, cases string) string {
	t.Helper()
	path := writeFile(t, "policy.rego", rego)
	if cases != "" {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "cases_test.yaml"), []byte(cases), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Dir(path)
}

const readOnly = `package sark

default decision := {"allow": false, "rule": "no", "reason": "reading only"}

decision := {"allow": true, "rule": "reading"} if input.tool.read_only

decision := {"allow": true, "rule": "never"} if input.action == "tool:never"
`

// fragments checks the exit code and that texts are somewhere in the output.
func fragments(t *testing.T, r result, code int, texts ...string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit code %d, want %d", r.Code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.Out+r.Err, text) {
			t.Errorf("the output lacks %q", text)
		}
	}
	if t.Failed() {
		t.Logf("output:\n%s%s", r.Out, r.Err)
	}
}

// TestPolicyTestShipped is the promise that the default policy is tested.
func TestPolicyTestShipped(t *testing.T) {
	fragments(t, run(t, "policy", "test", "--coverage", "--threshold", "95"), 0, "0 failed", "ip_filtering.rego")
}

func TestPolicyTest(t *testing.T) {
	good := bundleOf(t, readOnly, "cases: [{name: reading, tool: {name: a, read_only: true}, expect: {allow: true, rule: reading}}]")
	bad := bundleOf(t, readOnly, "cases: [{name: writing, tool: a, expect: {allow: true}}]")
	fragments(t, run(t, "policy", "test", "--bundle", good), 0, "1 passed, 0 failed")
	fragments(t, run(t, "policy", "test", "--bundle", good, "--coverage", "--threshold", "95"), 1, "policy.rego", "less than --threshold 95")
	fragments(t, run(t, "policy", "test", "--bundle", bad), 1, "FAIL", "writing", "allow: want true, got false", "decided by no")
	fragments(t, run(t, "policy", "test", "--bundle", bad, "--tests", filepath.Join(good, "cases_test.yaml")), 0, "1 passed")
	fragments(t, run(t, "policy", "test", "--bundle", bundleOf(t, readOnly, "")), 1, "there are no tests")
	fragments(t, run(t, "policy", "test", "--bundle", bundleOf(t, readOnly, "cases: [{}]")), 1, "it has no name")
	fragments(t, run(t, "policy", "test", "--threshold", "101"), 2, "from 0 to 100")
	var report struct{ Failed int }
	if r := run(t, "policy", "test", "--bundle", bad, "--output", "json"); json.Unmarshal([]byte(r.Out), &report) != nil || report.Failed != 1 {
		t.Errorf("policy test --output json = %+v", r)
	}
}

func TestPolicyLint(t *testing.T) {
	fragments(t, run(t, "policy", "lint", "--strict"), 0, "nothing found")
	caller := bundleOf(t, "package sark\n\ndecision := {\"allow\": http.send({\"method\": \"get\", \"url\": input.u}).body.ok}\n", "")
	fragments(t, run(t, "policy", "lint", "--bundle", caller), 1, "FORBIDDEN_HTTP_SEND", ":3")
	fragments(t, run(t, "policy", "lint", "--bundle", caller, "--allow", "http.send"), 0, "NONDETERMINISTIC_BUILTIN")
	fragments(t, run(t, "policy", "lint", "--bundle", caller, "--allow", "http.send", "--strict"), 1)
	fragments(t, run(t, "policy", "lint", "--bundle", filepath.Join(t.TempDir(), "none")), 1, "none")
}

// record stores the input of a decision and the event that it belongs to, and returns the ids of both.
func record(t *testing.T, dir, input string, allow bool) (decision, event uuid.UUID) {
	t.Helper()
	trail, now := openTrail(t, dir), time.Now().UTC().Truncate(time.Microsecond)
	decision = audit.NewID(now)
	e := invoked(now, "ana", "wipe", "deny", "not granted")
	e.DecisionID = decision
	trail.add(t, e)
	if input == "" {
		return decision, e.ID
	}
	in := store.DecisionInput{DecisionID: decision, Timestamp: now, PolicyRevision: "old", Input: []byte(input), Allow: allow, Rule: "r"}
	if err := trail.db.AppendDecisionInputs(t.Context(), []store.DecisionInput{in}); err != nil {
		t.Fatal(err)
	}
	return decision, e.ID
}

const wiping = `{"action":"tool:invoke","principal":{"id":"ana","roles":["analyst"],"authenticated":true},
	"server":{"name":"desk"},"tool":{"name":"wipe","sensitivity_level":"high"},"mcp":{"phase":"call"},"recorded":{"arguments":"digest","arguments_hash":"a"}}`

// TestPolicyExplain asks a gateway on this host and over TCP, the policy in force there and another.
func TestPolicyExplain(t *testing.T) {
	dir := dataDir(t)
	decision, event := record(t, dir, wiping, false)
	g := startGateway(t, dir)
	fragments(t, run(t, "policy", "explain", decision.String(), "--data-dir", dir), 0,
		"deny by r, policy old", "another one has decided", "the arguments were not recorded", "main.not_granted", `grant["rbac.analyst"]`, `level in {"low", "medium"}`, "rules about other actions")
	fragments(t, run(t, "policy", "explain", decision.String(), "--data-dir", dir, "--bundle", bundleOf(t, readOnly, "")), 0,
		"deny by no", "input.tool.read_only")
	fragments(t, run(t, "policy", "explain", decision.String(), "--api", g.api), 1, "refuses", "audit:read", "--token-file")
	fragments(t, run(t, "policy", "explain", uuid.NewString(), "--data-dir", dir), 1, "No decision has this id")
	fragments(t, run(t, "policy", "explain", "x", "--data-dir", dir), 2, "no UUID")
	fragments(t, run(t, "policy", "eval", "--event", event.String(), "--data-dir", dir), 0, "main.not_granted")
	fragments(t, run(t, "policy", "eval", "--event", event.String(), "--input", "x", "--data-dir", dir), 2, "exclude each other")
	g.end(t)
	fragments(t, run(t, "policy", "explain", decision.String(), "--data-dir", dir), 1, "no gateway answers", "sark serve")
}

// TestPolicyExplainUnrecorded: what the trail knows is told when the input was not recorded.
func TestPolicyExplainUnrecorded(t *testing.T) {
	dir := dataDir(t)
	decision, event := record(t, dir, "", false)
	startGateway(t, dir)
	fragments(t, run(t, "policy", "explain", decision.String(), "--data-dir", dir), 1,
		"was not recorded", "authz.inputs.sample", "tool:invoke of desk/wipe for ana")
	fragments(t, run(t, "policy", "eval", "--event", event.String(), "--data-dir", dir), 1, "was not recorded")
}

func TestPolicyExplainList(t *testing.T) {
	dir := dataDir(t)
	config := writeFile(t, "sark.yaml", `
data_dir: `+dir+`
proxy: {servers: [{name: desk, url: "http://127.0.0.1:1/mcp", tools: [{name: find, sensitivity_level: low}, {name: wipe, sensitivity_level: critical}]}]}
`)
	list := strings.ReplaceAll(strings.ReplaceAll(wiping, "tool:invoke", "tool:list"), `"tool":{"name":"wipe","sensitivity_level":"high"},`, "")
	decision, _ := record(t, dir, list, true)
	startGateway(t, dir, "--config", config)
	r := run(t, "policy", "explain", decision.String(), "--config", config)
	fragments(t, r, 0, "hidden", "wipe by main.not_granted", "protocol.lifecycle")
	if strings.Contains(r.Out, "find by") {
		t.Errorf("a tool that is shown is said to be hidden:\n%s", r.Out)
	}
}

func TestPolicyReplay(t *testing.T) {
	dir := t.TempDir()
	record(t, dir, wiping, true)
	candidate := bundleOf(t, readOnly, "")
	fragments(t, run(t, "policy", "replay", "--bundle", candidate, "--data-dir", dir), 1,
		"ana", "wipe", "allow -> deny", "r -> no", "1 decisions asked, 1 would be different")
	fragments(t, run(t, "policy", "replay", "--bundle", candidate, "--since", "2999-01-01T00:00:00Z", "--data-dir", dir), 1, "nothing is known")
	silent := bundleOf(t, "package sark\n\ndecision := {\"allow\": true} if input.action == \"tool:never\"\n", "")
	fragments(t, run(t, "policy", "replay", "--bundle", silent, "--data-dir", dir), 1, "r -> none")
	fragments(t, run(t, "policy", "replay"), 2, "--bundle")
	same := `{"decision_id":"1","timestamp":"2026-01-01T00:00:00Z","allow":false,"rule":"x","input":{}}`
	fragments(t, runWith(t, nil, same, "policy", "replay", "--bundle", candidate, "--inputs", "-"), 0, "1 decisions asked, 0 would be different")
}
