package proxy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/testkit"
)

// verdict is what the trail says of a decision that was not enforced.
type verdict struct {
	Decision, Shadow, Rule, Reason, Type string
	Outcome                              audit.Outcome
}

func verdictOf(e audit.Event) verdict {
	return verdict{e.Decision, e.Shadow, e.Rule, e.Reason, e.EventType, e.Outcome}
}

// TestShadowModePasses: with authz.mode shadow a denial is recorded and changes nothing, and nor do demands.
func TestShadowModePasses(t *testing.T) {
	t.Parallel()
	const policy = `decision := {"allow": false, "rule": "no", "reason": "not today"} if input.tool.name == "wipe" else :=
		{"allow": true, "rule": "odd", "obligations": {"redact": ["$.text"], "limit": {"key": "tool", "rate": 1, "period": 60}}} if input.action == "prompt:get" else :=
		{"allow": true, "rule": "yes", "obligations": {"redact": ["$.text"]}} if input.mcp.phase == "call"`
	g := newGateway(t, func(s *setup) {
		withPolicy(policy, 0)(t, s)
		s.Shadow = true
	})
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.JSON(200, `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"text":"plain"}}}`)
	})
	g.Upstream.On("tools/list", func(x *testkit.Exchange, _ testkit.Message) {
		x.JSON(200, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"wipe"},{"name":"echo"}]}}`)
	})
	c := g.Dial(t)
	var got []verdict
	for i, call := range []struct{ method, params, want string }{
		{"tools/call", `"name":"wipe"`, `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"text":"plain"}}}`},
		{"tools/call", `"name":"echo"`, `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"text":"plain"}}}`},
		{"tools/list", ``, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"wipe"},{"name":"echo"}]}}`},
		{"prompts/get", `"name":"greet"`, ``},
	} {
		c.Post("/mcp", legacyCall("1", call.method, call.params), bearer("stranger"))
		r := c.ReadReply()
		if r.Status != 200 || call.want != "" && r.Body != call.want {
			t.Errorf("%s %s: %d %s", call.method, call.params, r.Status, r.Body)
		}
		got = append(got, verdictOf(g.AwaitEvents(t, i+1)[i]))
	}
	want := []verdict{
		{"allow", "deny", "no", "not today", "tool_invoked", audit.OutcomeAllowed},
		{"allow", "allow", "yes", "", "tool_invoked", audit.OutcomeAllowed},
		{"allow", "deny", "yes", authz.ReasonObligation, "authorization_allowed", audit.OutcomeAllowed}, // lists are not redacted
		{"allow", "deny", "odd", authz.ReasonObligation, "authorization_allowed", audit.OutcomeAllowed}, // this gateway has no limiter
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}

// TestShadowModeWithoutPolicy: even a policy that cannot be asked lets pass.
func TestShadowModeWithoutPolicy(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) {
		withPolicy(`decision := {"allow": "perhaps"}`, 0)(t, s)
		s.Shadow = true
	})
	c := g.Dial(t)
	c.Post("/mcp", allowedCall, bearer("stranger"))
	diff(t, "status", 200, c.ReadReply().Status)
	e := g.AwaitEvents(t, 1)[0]
	diff(t, "verdict", verdict{"allow", "deny", "", authz.ReasonUnavailable, "tool_invoked", audit.OutcomeAllowed}, verdictOf(e))
	if e.ErrorMessage == "" {
		t.Error("the trail does not say why the policy could not be asked")
	}
}
