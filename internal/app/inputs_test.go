package app_test

import (
	"fmt"
	"testing"
	"time"

	"sark/internal/testkit"
)

// inputs counts the recorded inputs of a data directory by the answer and rule of their decisions.
func inputs(t *testing.T, dir string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for in, err := range openStore(t, dir).DecisionInputs(t.Context(), time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		found[fmt.Sprint(in.Allow, " ", in.Rule)]++
	}
	return found
}

// askOften makes one call that is allowed and many that are denied.
func askOften(t *testing.T, denied int, authz string) map[string]int {
	t.Helper()
	policy := policyDir(t, `package sark
decision := {"allow": input.tool.name == "echo", "rule": "only.echo", "reason": "echo alone"}`)
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, configure(t, dir, upstream.URL()+"/mcp", fmt.Sprintf("authz: {bundle: %s, %s}", policy, authz)))
	user := over(g.Proxy, newKey(t, dir, "analyst"))
	if r := user.post(t, "/mcp", toolCall("echo")); r.Status != 200 {
		t.Fatalf("echo: %d", r.Status)
	}
	for range denied {
		user.post(t, "/mcp", toolCall("note")) // a tool that is hidden is answered as unknown
	}
	g.stop(t)
	return inputs(t, dir)
}

// TestDenialsCanBeExplained: without a setting what the policy denies is recorded, what it allows is not, and who is denied
// again and again fills no database.
func TestDenialsCanBeExplained(t *testing.T) {
	got := askOften(t, 700, "timezone: UTC")
	if n := got["false only.echo"]; len(got) != 1 || n < 600 || n >= 700 {
		t.Errorf("inputs = %v, want 600 denials and those of a few seconds, and nothing else", got)
	}
	if got := askOften(t, 3, "inputs: {denials: false}"); len(got) != 0 {
		t.Errorf("inputs = %v with denials: false, want none", got)
	}
	if got := askOften(t, 3, "inputs: {sample: 100}"); got["false only.echo"] != 3 || got["true only.echo"] != 1 {
		t.Errorf("inputs = %v with sample: 100, want all", got)
	}
}
