package explain_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/authz/explain"
)

func shipped(t *testing.T) *authz.Trial {
	t.Helper()
	b, err := authz.ReadBundle("")
	if err != nil {
		t.Fatal(err)
	}
	trial, err := authz.NewTrial(t.Context(), b, authz.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return trial
}

// ruleNamed returns the rule with a name, and whether it is there.
func ruleNamed(rules []explain.Rule, name string) explain.Rule {
	for _, r := range rules {
		if r.Name == name {
			r.File, r.Line, r.StoppedLine = "", 0, 0
			return r
		}
	}
	return explain.Rule{}
}

func TestDocument(t *testing.T) {
	for name, test := range map[string]struct {
		input        string
		rule         string
		held, failed []explain.Rule
	}{
		"a missing claim": {
			input: `{"action": "tool:invoke", "principal": {"id": "root", "roles": ["admin"], "claims": {}, "authenticated": true},
				"tool": {"name": "wipe", "sensitivity_level": "critical"}, "mcp": {"phase": "call"},
				"policy_config": {"mfa_required_levels": ["critical"]}}`,
			rule: "mfa_required.not_verified",
			held: []explain.Rule{{Name: `deny["mfa_required.not_verified"]`}},
		},
		"a level that nothing grants": {
			input: `{"action": "tool:invoke", "principal": {"id": "ana", "roles": ["analyst"], "authenticated": true},
				"tool": {"name": "wipe", "sensitivity_level": "high"}, "mcp": {"phase": "call"}}`,
			rule: "main.not_granted",
			failed: []explain.Rule{
				{Name: `grant["rbac.analyst"]`, Stopped: `level in {"low", "medium"}`},
				{Name: `grant["rbac.admin"]`, Stopped: `"admin" in input.principal.roles`},
			},
		},
		"a missing role": {
			input:  `{"action": "tool:invoke", "principal": {"id": "ana", "authenticated": true}, "tool": {"sensitivity_level": "low"}}`,
			rule:   "main.unknown_role",
			failed: []explain.Rule{{Name: `grant["rbac.admin"]`, Stopped: "input.principal.roles", Missing: []string{"input.principal.roles"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := explain.Document(t.Context(), shipped(t), []byte(test.input))
			if err != nil {
				t.Fatal(err)
			}
			if e.Decision.Rule != test.rule {
				t.Errorf("decided by %q, want %q", e.Decision.Rule, test.rule)
			}
			for _, want := range test.held {
				if diff := cmp.Diff(want, ruleNamed(e.Held, want.Name)); diff != "" {
					t.Errorf("rules that held (-want +got):\n%s", diff)
				}
			}
			for _, want := range test.failed {
				if diff := cmp.Diff(want, ruleNamed(e.Failed, want.Name)); diff != "" {
					t.Errorf("rules that failed (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestMissingInAHelper: what is missing is found where a rule asks another one.
func TestMissingInAHelper(t *testing.T) {
	e, err := explain.Document(t.Context(), shipped(t), []byte(`{"action": "tool:invoke",
		"principal": {"roles": ["viewer"], "authenticated": true}, "tool": {"name": "a", "sensitivity_level": "low"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := explain.Rule{Name: `grant["rbac.viewer"]`, Stopped: "reading", Missing: []string{"input.tool.read_only"}}
	if diff := cmp.Diff(want, ruleNamed(e.Failed, want.Name)); diff != "" {
		t.Errorf("the viewer's grant (-want +got):\n%s", diff)
	}
}

func TestHidden(t *testing.T) {
	list := `{"action": "tool:list", "principal": {"id": "ana", "roles": ["analyst"], "authenticated": true},
		"server": {"name": "desk", "sensitivity_level": "medium"}, "mcp": {"phase": "call", "method": "tools/list"}}`
	hidden, err := explain.Hidden(t.Context(), shipped(t), []byte(list), []explain.Tool{
		{Name: "find", SensitivityLevel: "low"}, {Name: "wipe", SensitivityLevel: "critical"},
	})
	want := []explain.HiddenTool{{Name: "wipe", Rule: "main.not_granted", Reason: "your roles do not allow tool:invoke at sensitivity critical"}}
	if diff := cmp.Diff(want, hidden); err != nil || diff != "" {
		t.Errorf("error %v, hidden tools (-want +got):\n%s", err, diff)
	}
}
