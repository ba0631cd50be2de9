package authz_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
)

// echo is a policy whose decision is what the input says.
const echo = "package sark\ndecision := input.result"

func TestDecisionsOfPolicies(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": echo})})
	none := authz.Obligations{CacheTTL: -1}
	tests := []struct {
		result string
		want   authz.Decision
	}{
		{`{"allow":true}`, authz.Decision{Allow: true, Obligations: none}},
		{`{"allow":false,"reason":"no","rule":"r"}`, authz.Decision{Reason: "no", Rule: "r", Obligations: none}},
		{`{"allow":false,"scopes":["a:b","c"]}`, authz.Decision{Scopes: []string{"a:b", "c"}, Obligations: none}},
		{`{"allow":false,"reason":"no","scopes":["a\"b"]}`, authz.Decision{Reason: "no", Obligations: none}},
		{`{"allow":true,"scopes":["a"]}`, authz.Decision{Allow: true, Obligations: none}},
		{`{"allow":true,"obligations":{}}`, authz.Decision{Allow: true, Obligations: none}},
		{
			`{"allow":true,"reason":"why","rule":"r","obligations":{"redact":["$.a",{"in":"result","path":"$.b[*]"},{"pattern":"[0-9]+"}],"cache":{"ttl":1.5},
			"limit":{"rate":10,"period":60,"key":"tool","burst":3},"severity":"high"}}`,
			authz.Decision{Allow: true, Reason: "why", Rule: "r", Obligations: authz.Obligations{
				Redact:   redaction(t, authz.RedactRule{Path: "$.a"}, authz.RedactRule{In: "result", Path: "$.b[*]"}, authz.RedactRule{Pattern: "[0-9]+"}),
				CacheTTL: 1500 * time.Millisecond,
				Limit:    &authz.Limit{Key: "tool", Rate: 10, Period: time.Minute, Burst: 3}, Severity: "high",
			}},
		},
		{`{"allow":true,"obligations":{"cache":{"ttl":0}}}`, authz.Decision{Allow: true}},
		{
			`{"allow":true,"obligations":{"limit":{"rate":5,"period":1}}}`,
			authz.Decision{Allow: true, Obligations: authz.Obligations{
				CacheTTL: -1, Limit: &authz.Limit{Key: "principal", Rate: 5, Period: time.Second, Burst: 5},
			}},
		},
		{`{"allow":false,"reason":"no","obligations":{"surprise":1}}`, authz.Decision{Reason: "no", Obligations: none}},
	}
	for _, tt := range tests {
		d, err := e.EvalJSON(t.Context(), fmt.Appendf(nil, `{"result":%s}`, tt.result))
		if err != nil {
			t.Fatal(err)
		}
		tt.want.Tier, tt.want.Revision = "topdown", e.Revision()
		if diff := cmp.Diff(tt.want, d, anyID); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.result, diff)
		}
	}
}

// TestMisunderstoodDecisions: what the engine cannot read in full is a deny.
func TestMisunderstoodDecisions(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": echo})})
	tests := []struct{ result, reason string }{
		{`true`, authz.ReasonUnavailable},
		{`[{"allow":true}]`, authz.ReasonUnavailable},
		{`{}`, authz.ReasonUnavailable},
		{`{"allow":"true"}`, authz.ReasonUnavailable},
		{`{"allow":1}`, authz.ReasonUnavailable},
		{`{"allow":null}`, authz.ReasonUnavailable},
		{`{"allow":true,"reason":3}`, authz.ReasonObligation},
		{`{"allow":true,"rule":["r"]}`, authz.ReasonObligation},
		{`{"allow":true,"obligation":{}}`, authz.ReasonObligation},
		{`{"allow":true,"scopes":{"a":true}}`, authz.ReasonObligation},
		{`{"allow":true,"scopes":["a b"]}`, authz.ReasonObligation},
		{`{"allow":true,"scopes":[1]}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":[]}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":null}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"hide_tools":["a"]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":"$.a"}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":[1]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":[""]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":{"$.a":true}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"cache":60}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"cache":{"ttl":-1}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"cache":{"ttl":"60s"}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"cache":{"ttl":1e30}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"cache":{"ttl":1,"scope":"public"}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":0,"period":1}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":1.5,"period":1}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":1}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":1,"period":1,"key":2}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":1,"period":1,"key":"refunds"}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":1,"period":0}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":1,"period":1,"burst":0}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"limit":{"rate":1,"period":1,"requests":2}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":"$.a"}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":{"$.a":1}}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":["a"]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":[{"in":"header","path":"$.a"}]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":[{"in":"result"}]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":[{"path":"$.a","pattern":"b"}]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":[{"pattern":"("}]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"redact":[{"path":"$.a","with":"x"}]}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"severity":"extreme"}}`, authz.ReasonObligation},
		{`{"allow":true,"obligations":{"severity":1}}`, authz.ReasonObligation},
	}
	for _, tt := range tests {
		d, err := e.EvalJSON(t.Context(), fmt.Appendf(nil, `{"result":%s}`, tt.result))
		if err != nil {
			t.Fatal(err)
		}
		if d.Allow || d.Reason != tt.reason || d.Err == nil || d.Tier != "" {
			t.Errorf("%s: allow %v, reason %q, error %v; want a deny for %q", tt.result, d.Allow, d.Reason, d.Err, tt.reason)
		}
		if diff := cmp.Diff(authz.Obligations{CacheTTL: -1}, d.Obligations); diff != "" {
			t.Errorf("%s: obligations (-want +got):\n%s", tt.result, diff)
		}
	}
}

func TestUndefinedAndConflictingDecisions(t *testing.T) {
	tests := []struct{ name, policy, reason string }{
		{"undefined", "package sark\ndecision := {\"allow\": true} if input.never", authz.ReasonUndefined},
		{"conflict", "package sark\ndecision := {\"allow\": true}\ndecision := {\"allow\": false} if input.action", authz.ReasonUnavailable},
		{"set", "package sark\ndecision contains {\"allow\": true}", authz.ReasonUnavailable},
	}
	for _, tt := range tests {
		e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": tt.policy})})
		if d := e.Decide(t.Context(), callTool(admin(), `{}`)); d.Allow || d.Reason != tt.reason {
			t.Errorf("%s: %+v, want a deny for %q", tt.name, d, tt.reason)
		}
	}
}

func redaction(t *testing.T, rules ...authz.RedactRule) *authz.Redaction {
	t.Helper()
	r, err := authz.NewRedaction(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
