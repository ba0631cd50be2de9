package api_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"sark/internal/api"
	"sark/internal/audit"
	"sark/store"
)

// TestExplain asks why a call was denied, and what a list hides, of a configured and of an unknown server.
func TestExplain(t *testing.T) {
	engine := openEngine(t)
	g := newGateway(t, func(o *api.Options) { o.Policies, o.Inputs = engine, o.Registry.(api.InputReader) })
	now := time.Now().UTC().Truncate(time.Microsecond)
	recorded := func(revision, input string) string {
		t.Helper()
		in := store.DecisionInput{DecisionID: audit.NewID(now), Timestamp: now, PolicyRevision: revision, Input: []byte(input), Rule: "r"}
		if err := g.db.AppendDecisionInputs(t.Context(), []store.DecisionInput{in}); err != nil {
			t.Fatal(err)
		}
		return "/api/v1/policy/explain/" + in.DecisionID.String()
	}
	const caller = `"principal":{"id":"ana","roles":["analyst"],"authenticated":true},"mcp":{"phase":"call"}`
	r := g.send(t, "GET", recorded("old", `{"action":"tool:invoke",`+caller+`,"tool":{"name":"wipe","sensitivity_level":"high"}}`), "", nil)
	diff(t, "a denied call", map[string]any{
		"same_policy": false,
		"recorded":    map[string]any{"decision": "deny", "rule": "r", "revision": "old"},
		"now": map[string]any{
			"decision": "deny", "rule": "main.not_granted", "reason": "your roles do not allow tool:invoke at sensitivity high", "revision": engine.Revision(),
		},
		"hidden_tools": nil,
	}, pickFields(t, r, "same_policy", "recorded", "now", "hidden_tools"))

	r = g.send(t, "GET", recorded(engine.Revision(), `{"action":"tool:list",`+caller+`,"server":{"id":"desk","name":"desk"}}`), "", nil)
	diff(t, "a list", map[string]any{
		"same_policy": true,
		"hidden_tools": []any{map[string]any{
			"name": "wipe", "rule": "main.not_granted", "reason": "your roles do not allow tool:invoke at sensitivity critical",
		}},
	}, pickFields(t, r, "same_policy", "hidden_tools"))

	r = g.send(t, "GET", recorded("old", `{"action":"tool:list",`+caller+`,"server":{"id":"gone","name":"gone"}}`), "", nil)
	diff(t, "a list of a server that is gone", map[string]any{"hidden_tools": nil}, pickFields(t, r, "hidden_tools"))

	for path, want := range map[string]int{
		"/api/v1/policy/explain/x": 422, "/api/v1/policy/explain/" + uuid.NewString(): 404,
		recorded("old", `{"action":"tool:list"}`) + "?x=1": 400,
	} {
		if r := g.send(t, "GET", path, "", nil); r.Code != want {
			t.Errorf("%s: status %d %v, want %d", path, r.Code, r.Body, want)
		}
	}
}

// TestExplainWithoutPolicy: a gateway without a policy explains nothing.
func TestExplainWithoutPolicy(t *testing.T) {
	g := newGateway(t, nil)
	if r := g.send(t, "GET", "/api/v1/policy/explain/"+uuid.NewString(), "", nil); r.Code != 503 {
		t.Errorf("status %d %v, want 503", r.Code, r.Body)
	}
}
