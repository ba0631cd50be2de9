package authz_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sark/authz"
	"sark/internal/mcp"
)

// anyID leaves out what differs from one decision to the next.
var anyID = cmpopts.IgnoreFields(authz.Decision{}, "ID")

func TestDefaultPolicy(t *testing.T) {
	e := open(t, authz.Options{})
	high := callTool(analyst(), `{}`)
	high.Tool.SensitivityLevel = "high"
	hidden := authz.Tool{Name: "delete_customer", SensitivityLevel: "critical", Known: true}
	none := authz.Obligations{CacheTTL: -1}
	tests := []struct {
		name string
		in   *authz.Input
		want authz.Decision
	}{
		{"allowed call", callTool(analyst(), `{"amount":30}`), authz.Decision{
			Allow: true, Rule: "rbac.analyst", Reason: "analysts may use what is of low or medium sensitivity", Obligations: none,
		}},
		{"argument rule", callTool(analyst(), `{"amount":3000}`), authz.Decision{
			Rule: "arguments.max_amount", Reason: "the amount must be a number, at most 100", Obligations: none,
		}},
		{"sensitivity", high, authz.Decision{
			Rule: "main.not_granted", Reason: "your roles do not allow tool:invoke at sensitivity high", Obligations: none,
		}},
		{"hidden tool", listItem(analyst(), hidden), authz.Decision{
			Rule: "main.not_granted", Reason: "your roles do not allow tool:invoke at sensitivity critical", Obligations: none,
		}},
		{"shown tool", listItem(analyst(), authz.Tool{Name: "run_report", SensitivityLevel: "medium"}), authz.Decision{
			Allow: true, Rule: "rbac.analyst", Reason: "analysts may use what is of low or medium sensitivity", Obligations: none,
		}},
		{"obligation", listItem(admin(), hidden), authz.Decision{
			Allow: true, Rule: "rbac.admin", Reason: "administrators may do everything",
			Obligations: authz.Obligations{CacheTTL: -1, Severity: "critical"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Revision, tt.want.Tier = e.Revision(), "topdown"
			if diff := cmp.Diff(tt.want, e.Decide(t.Context(), tt.in), anyID); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecisionIDs(t *testing.T) {
	e := open(t, authz.Options{})
	first, second := e.Decide(t.Context(), callTool(analyst(), `{}`)), e.Decide(t.Context(), callTool(analyst(), `{}`))
	if first.ID == second.ID || first.ID.Version() != uuid.Version(7) {
		t.Errorf("ids %v and %v: want two different ones of version 7", first.ID, second.ID)
	}
}

func TestRevisionNamesContent(t *testing.T) {
	policy := `package sark
decision := {"allow": true}`
	first := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": policy})})
	same := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": policy})})
	other := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": policy, "data.json": `{"a": 1}`})})
	named := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": policy, ".manifest": `{"revision":"v7"}`})})
	if first.Revision() != same.Revision() || !strings.HasPrefix(first.Revision(), "sha256:") {
		t.Errorf("revisions of equal files: %q and %q", first.Revision(), same.Revision())
	}
	if first.Revision() == other.Revision() {
		t.Errorf("different files have one revision %q", first.Revision())
	}
	if named.Revision() != "v7" {
		t.Errorf("revision %q, the manifest says v7", named.Revision())
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"broken policy", map[string]string{"p.rego": "package sark\ndecision := {"}, "p.rego"},
		{"unknown function", map[string]string{"p.rego": "package sark\ndecision := nothing(1)"}, "nothing"},
		{"no entry point", map[string]string{"p.rego": "package other\ndecision := 1"}, "data.sark.decision"},
		{"no policy", map[string]string{"data.json": "{}"}, "data.sark.decision"},
		{"optimised without roots", map[string]string{
			"optimized/sark/p.rego": "package sark\ndecision := {\"allow\": true}",
		}, "optimised"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := authz.Open(t.Context(), authz.Options{Bundle: writeFiles(t, tt.files)})
			if err == nil {
				e.Close(t.Context())
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not name %q", err, tt.want)
			}
		})
	}
}

func TestOpenAcceptsOptimisedWithRoots(t *testing.T) {
	open(t, authz.Options{Bundle: writeFiles(t, map[string]string{
		"optimized/sark/p.rego": "package sark\ndecision := {\"allow\": true}",
		".manifest":             `{"roots": ["sark"]}`,
	})})
}

func TestOpenRefusesOptions(t *testing.T) {
	for name, o := range map[string]authz.Options{
		"two sources":   {Bundle: "somewhere", OPA: map[string]any{}},
		"absent bundle": {Bundle: "/nonexistent/policy"},
		"policy config": {PolicyConfig: map[string]any{"f": func() {}}},
		"OPA":           {OPA: map[string]any{"services": 3}},
	} {
		if e, err := authz.Open(t.Context(), o); err == nil {
			e.Close(t.Context())
			t.Errorf("%s: opened", name)
		}
	}
}

// TestIgnoredFiles: tests and hidden files beside a policy are no part of it.
func TestIgnoredFiles(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{
		"p.rego":           "package sark\ndecision := {\"allow\": true}",
		"p_test.rego":      "package sark\nbroken",
		".hidden.rego":     "package sark\nbroken",
		".git/broken.rego": "package sark\nbroken",
	})})
	if d := e.Decide(t.Context(), callTool(analyst(), `{}`)); !d.Allow {
		t.Errorf("decision %+v", d)
	}
}

func TestClosedEngineDenies(t *testing.T) {
	e := open(t, authz.Options{})
	e.Close(t.Context())
	e.Close(t.Context())
	d := e.Decide(t.Context(), callTool(admin(), `{}`))
	want := authz.Decision{Reason: authz.ReasonUnavailable, Obligations: authz.Obligations{CacheTTL: -1}, Err: e.Ready()}
	if diff := cmp.Diff(want, d, anyID, cmpopts.EquateErrors()); diff != "" || d.Err == nil {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
}

func TestApply(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{
		"p.rego": "package sark\ndecision := {\"allow\": input.policy_config.open, \"reason\": sprintf(\"%d\", [input.time.hour])}",
	})})
	if d := e.Decide(t.Context(), callTool(analyst(), `{}`)); d.Reason != authz.ReasonUndefined {
		t.Errorf("without policy_config: %+v", d)
	}
	err := e.Apply(authz.Settings{PolicyConfig: map[string]any{"open": true}, Location: time.FixedZone("east", 2*3600)})
	if err != nil {
		t.Fatal(err)
	}
	if d := e.Decide(t.Context(), callTool(analyst(), `{}`)); !d.Allow || d.Reason != "1" {
		t.Errorf("after Apply: %+v", d)
	}
	if err := e.Apply(authz.Settings{PolicyConfig: map[string]any{"f": func() {}}}); err == nil {
		t.Error("applied a function")
	}
	if d := e.Decide(t.Context(), callTool(analyst(), `{}`)); !d.Allow {
		t.Errorf("after a refused Apply: %+v", d)
	}
}

func TestEvalJSON(t *testing.T) {
	e := open(t, authz.Options{PolicyConfig: map[string]any{"max_amount": 5}})
	tests := []struct{ name, document, rule string }{
		{"nothing", `{}`, "main.unauthenticated"},
		{"own policy_config", `{"principal":{"roles":["analyst"]},"action":"tool:invoke",
			"tool":{"sensitivity_level":"low","parameters":{"amount":7}},"policy_config":{"max_amount":10}}`, "rbac.analyst"},
		{"engine's policy_config", `{"principal":{"roles":["analyst"]},"action":"tool:invoke",
			"tool":{"sensitivity_level":"low","parameters":{"amount":7}}}`, "arguments.max_amount"},
	}
	for _, tt := range tests {
		d, err := e.EvalJSON(t.Context(), []byte(tt.document))
		if err != nil || d.Rule != tt.rule {
			t.Errorf("%s: rule %q, error %v; want rule %q", tt.name, d.Rule, err, tt.rule)
		}
	}
	for _, document := range []string{``, `[]`, `{"a":`, `{} {}`, `null`, `{"n":1e1000000000}`} {
		if d, err := e.EvalJSON(t.Context(), []byte(document)); err == nil {
			t.Errorf("%q: no error, %+v", document, d)
		}
	}
}

func TestUnusableInputIsDenied(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{
		"p.rego": `package sark
decision := {"allow": true} if count([input.tool.parameters, input.principal.claims, object.get(input, "context", {})]) == 3`,
	})})
	badClaims := admin()
	badClaims.Claims = map[string]any{"f": func() {}}
	badContext := callTool(admin(), `{}`)
	badContext.Context = map[string]any{"f": func() {}}
	hugeContext := callTool(admin(), `{}`)
	hugeContext.Context = map[string]any{"n": json.Number("1e1000000000")}
	for name, in := range map[string]*authz.Input{
		"number in context":          hugeContext,
		"arguments that are no JSON": callTool(admin(), `{"a":`),
		"huge exponent":              callTool(admin(), `{"a":1e1000000000}`),
		"tiny exponent":              callTool(admin(), `{"a":[1e-1000000000]}`),
		"many digits":                callTool(admin(), `{"a":`+strings.Repeat("9", 100_000)+`}`),
		"not a number":               callTool(admin(), `{"a":NaN}`),
		"claims":                     callTool(badClaims, `{}`),
		"context":                    badContext,
	} {
		d := e.Decide(t.Context(), in)
		if d.Allow || d.Reason != authz.ReasonUnavailable || d.Err == nil || d.Tier != "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	e := open(t, authz.Options{Metrics: registry})
	who, other := admin(), analyst()
	e.Decide(t.Context(), callTool(who, `{}`))
	e.Decide(t.Context(), callTool(who, `{}`))
	for range 3 {
		e.Decide(t.Context(), callTool(other, `{"amount":1000}`))
	}
	e.Decide(t.Context(), callTool(other, `{`))
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP sark_authz_decisions_total Decisions by outcome and by the tier that found them; tier "none" are denials that the engine made by itself.
# TYPE sark_authz_decisions_total counter
sark_authz_decisions_total{decision="allow",tier="memo"} 1
sark_authz_decisions_total{decision="allow",tier="topdown"} 1
sark_authz_decisions_total{decision="deny",tier="memo"} 2
sark_authz_decisions_total{decision="deny",tier="none"} 1
sark_authz_decisions_total{decision="deny",tier="topdown"} 1
# HELP sark_authz_last_reload_success 1 while the latest policy is the one in force, 0 when an older one or none is.
# TYPE sark_authz_last_reload_success gauge
sark_authz_last_reload_success 1
# HELP sark_authz_memo_lookups_total Questions by whether the decision was remembered (hit), was not (miss), or could not be (uncacheable).
# TYPE sark_authz_memo_lookups_total counter
sark_authz_memo_lookups_total{result="hit"} 3
sark_authz_memo_lookups_total{result="miss"} 2
sark_authz_memo_lookups_total{result="uncacheable"} 1
# HELP sark_authz_reloads_total Policies that came into force (success) or could not (error).
# TYPE sark_authz_reloads_total counter
sark_authz_reloads_total{result="success"} 1
`), "sark_authz_decisions_total", "sark_authz_last_reload_success", "sark_authz_memo_lookups_total", "sark_authz_reloads_total")
	if err != nil {
		t.Error(err)
	}
	if _, err := authz.Open(t.Context(), authz.Options{Metrics: registry}); !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		t.Errorf("second engine on one registry: %v", err)
	}
}

func TestPrincipalsWithOneFingerprintAreNotConfused(t *testing.T) {
	e := open(t, authz.Options{})
	one, other := analyst(), analyst()
	other.Roles = []string{"admin"}
	for range 3 {
		if d := e.Decide(context.Background(), callTool(one, `{"amount":1000}`)); d.Allow {
			t.Errorf("analyst: %+v", d)
		}
		if d := e.Decide(context.Background(), callTool(other, `{"amount":1000}`)); !d.Allow {
			t.Errorf("admin: %+v", d)
		}
	}
}

// TestConcurrentDecisions shares the kept parts of the document between goroutines, with a policy that sorts, compares and
// prints them: the interpreter does some of that lazily.
func TestConcurrentDecisions(t *testing.T) {
	e := open(t, authz.Options{
		PolicyConfig: map[string]any{"b": 1, "a": []any{3, 2, 1}},
		Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": input.principal == input.user, "reason": reason}
reason := sprintf("%v %v %v", [input.principal, json.marshal(input.policy_config), sort(input.server.teams)])`}),
	})
	who := analyst()
	want := e.Decide(t.Context(), callTool(who, `{"b":1,"a":2}`))
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				if d := e.Decide(context.Background(), callTool(who, `{"b":1,"a":2}`)); !d.Allow || d.Reason != want.Reason {
					t.Errorf("decision %+v, want %+v", d, want)
				}
			}
		})
	}
	callers.Wait()
}

// TestNothingOfTheInputIsKept: the strings of an input may be bytes of a request, which are reused after it.
func TestNothingOfTheInputIsKept(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": regex.match(input.mcp.name, "aaaa"), "rule": input.server.id, "reason": input.request.path}`})})
	buf := []byte("....")
	in := callTool(analyst(), `{}`)
	alias := mcp.Text(buf)
	in.Call.Name, in.Request.Path, in.Request.Headers = alias, alias, nil
	in.Server = authz.Server{ID: alias, Name: alias, Teams: []string{alias}}
	for _, content := range []string{"aaaa", "bbbb", "aaaa", "cccc"} {
		copy(buf, content)
		d := e.Decide(t.Context(), in)
		copy(buf, "aaaa")
		if d.Allow != (content == "aaaa") || d.Reason != content || d.Rule != content {
			t.Errorf("%s: %+v", content, d)
		}
	}
}
