package authz_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/authz"
)

// deadRules are policies, and what they can read while policy_config is empty and while it is {"on": true, "list": ["a"]}.
// data.limits is {"a": 1}.
var deadRules = map[string]struct {
	policy  string
	off, on []string
}{
	"guard first": {
		"decision := {\"allow\": true} if not p\np if { input.policy_config.on; input.tool.name }",
		nil,
		[]string{"input.policy_config.on", "input.tool.name"},
	},
	"guard last": {
		"decision := {\"allow\": true} if not p\np if { input.tool.name; input.policy_config.on }",
		nil,
		[]string{"input.policy_config.on", "input.tool.name"},
	},
	"guard compares": {
		"decision := {\"allow\": true} if not p\np if { input.policy_config.on == false; input.tool.name }", nil, nil,
	},
	"guard by another rule": {
		"decision := {\"allow\": true} if not p\np if { q; input.tool.name }\nq if { input.action; r }\nr if input.policy_config.on",
		nil,
		[]string{"input.action", "input.policy_config.on", "input.tool.name"},
	},
	"guard on data": {
		"decision := {\"allow\": true} if not p\np if { data.limits[input.policy_config.list[_]]; input.tool.name }",
		nil,
		[]string{"input.policy_config.list", "input.tool.name"},
	},
	"items of a list": {
		"decision := {\"allow\": true} if not p\np if { some x in input.policy_config.list; x == input.tool.name }",
		nil,
		[]string{"input.policy_config.list", "input.tool.name"},
	},
	"negated": {
		"decision := {\"allow\": true} if not p\np if { not q; input.tool.name }\nq if input.policy_config.on",
		[]string{"input.tool.name"},
		nil,
	},
	"negated rule that is off": {
		"decision := {\"allow\": true} if not p\np if { not q; input.tool.name }\nq if { input.action; input.policy_config.on }",
		[]string{"input.tool.name"},
		[]string{"input.action", "input.policy_config.on", "input.tool.name"},
	},
	"empty set": {
		"decision := {\"allow\": true} if not p\np if { q; input.tool.name }\nq contains input.action if input.policy_config.on",
		[]string{"input.tool.name"},
		[]string{"input.action", "input.policy_config.on", "input.tool.name"},
	},
	"else": {
		"decision := {\"allow\": true} if p == 1\np := 1 if { input.policy_config.on; input.tool.name } else := 2 if input.mcp.name",
		[]string{"input.mcp.name"},
		[]string{"input.mcp.name", "input.policy_config.on", "input.tool.name"},
	},
	"default": {
		"decision := {\"allow\": p}\ndefault p := false\np if { input.policy_config.on; input.tool.name }\n",
		nil,
		[]string{"input.policy_config.on", "input.tool.name"},
	},
	"set": {
		"decision := {\"allow\": count(p) == 0}\np contains input.tool.name if input.policy_config.on",
		nil,
		[]string{"input.policy_config.on", "input.tool.name"},
	},
	"function": {
		"decision := {\"allow\": true} if not p\np if { f(1); input.tool.name }\nf(x) if { x > 0; input.policy_config.on; input.action }",
		nil,
		[]string{"input.action", "input.policy_config.on", "input.tool.name"},
	},
	"impure behind a guard": {
		"decision := {\"allow\": true} if not p\np if { input.policy_config.list == []; time.now_ns() > 1 }", nil, nil,
	},
	// These cannot be left out: an error may come first, and whether it does may depend on what stands behind.
	"conflict of a function first": {
		"decision := {\"allow\": true} if not p\np if { f(input.action) == 1; input.policy_config.on; input.tool.name == \"a\" }\nf(\"a\") := 1\nf(x) := 2 if x",
		[]string{"input.action", "input.policy_config.on", "input.tool.name"},
		[]string{"input.action", "input.policy_config.on", "input.tool.name"},
	},
	"conflict of a rule first": {
		"decision := {\"allow\": true} if not p\np if { q; input.policy_config.on; input.tool.name == \"a\" }\nq := x if some x in input.principal.roles",
		[]string{"input.policy_config.on", "input.principal.roles", "input.tool.name"},
		[]string{"input.policy_config.on", "input.principal.roles", "input.tool.name"},
	},
	"conflict of keys first": {
		"decision := {\"allow\": true} if not p\np if { q := {1: x | some x in input.principal.roles}; q; input.policy_config.on; input.tool.name == \"a\" }",
		[]string{"input.policy_config.on", "input.principal.roles", "input.tool.name"},
		[]string{"input.policy_config.on", "input.principal.roles", "input.tool.name"},
	},
	"conflict in a settled guard": {
		"decision := {\"allow\": true} if not p\np if { q == 3; input.tool.name == \"a\" }\nq := 1 if input.policy_config\nq := 2 if input.policy_config",
		[]string{"input.policy_config", "input.tool.name"},
		[]string{"input.policy_config", "input.tool.name"},
	},
	// The variable of the guard is bound by what stands before it.
	"open variable": {
		"decision := {\"allow\": true} if not p\np if { x = input.action; x = object.get(input.policy_config, \"mode\", x); input.tool.name }",
		[]string{"input.action", "input.policy_config.mode", "input.tool.name"},
		[]string{"input.action", "input.policy_config.mode", "input.tool.name"},
	},
	"argument": {
		"decision := {\"allow\": true} if p(input.action)\np(x) if { x = object.get(input.policy_config, \"mode\", \"m\"); input.tool.name }",
		[]string{"input.action", "input.policy_config.mode", "input.tool.name"},
		[]string{"input.action", "input.policy_config.mode", "input.tool.name"},
	},
	// The guard takes the interpreter longer than the analysis waits.
	"endless guard": {
		"decision := {\"allow\": true} if not p\np if { count([1 | some x in numbers.range(1, 1000); some y in numbers.range(1, 1000); x == -y]) > 0; input.tool.name }",
		[]string{"input.tool.name"},
		[]string{"input.tool.name"},
	},
}

func TestDeadRules(t *testing.T) {
	for name, tt := range deadRules {
		t.Run(name, func(t *testing.T) {
			e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{
				"policy.rego": "package sark\n" + tt.policy, "data.json": `{"limits": {"a": 1}}`,
			})})
			for _, step := range []struct {
				config map[string]any
				want   []string
			}{{nil, tt.off}, {map[string]any{"on": true, "list": []any{"a"}}, tt.on}, {map[string]any{}, tt.off}} {
				if err := e.Apply(authz.Settings{PolicyConfig: step.config}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(remembered(step.want...), e.Analysis(), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("policy_config %v (-want +got):\n%s", step.config, diff)
				}
			}
		})
	}
}

// TestChecksThatAreOff: what only checks read that policy_config turns off is no part of a question. A new client address
// or hour finds what is remembered.
func TestChecksThatAreOff(t *testing.T) {
	e := open(t, authz.Options{})
	in := callTool(analyst(), `{}`)
	ask := func() string { return e.Decide(t.Context(), in).Tier }
	if tier := ask(); tier != "topdown" {
		t.Fatalf("tier %q", tier)
	}
	in.Request.ClientIP, in.Time = in.Request.ClientIP.Next(), in.Time.AddDate(0, 0, 1).Add(3600e9)
	if tier := ask(); tier != "memo" {
		t.Errorf("tier %q from another address at another time", tier)
	}
	if err := e.Apply(authz.Settings{PolicyConfig: map[string]any{"ip_blocklist": []any{"10.1.2.5/32"}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if d := compareWithTopdown(t, e, in); !d.Allow {
			t.Errorf("decision %+v", d)
		}
		in.Request.ClientIP = in.Request.ClientIP.Next()
		if d := compareWithTopdown(t, e, in); d.Allow || d.Rule != "ip_filtering.blocked" {
			t.Errorf("decision %+v", d)
		}
		in.Request.ClientIP = in.Request.ClientIP.Prev()
	}
}
