package api_test

import (
	"strings"
	"testing"

	"sark/internal/api"
)

// pickFields returns some fields of a reply's body.
func pickFields(t *testing.T, r reply, names ...string) map[string]any {
	t.Helper()
	body, ok := r.Body.(map[string]any)
	if r.Code != 200 || !ok {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	picked := map[string]any{}
	for _, name := range names {
		picked[name] = body[name]
	}
	return picked
}

func TestPolicyList(t *testing.T) {
	engine := openEngine(t)
	g := newGateway(t, func(o *api.Options) { o.Policies = engine })

	r := g.send(t, "GET", "/api/v1/policy/list", "", nil)

	diff(t, "policies", map[string]any{
		"policies": []any{map[string]any{
			"name": "sark", "version": engine.Revision(), "path": nil, "roots": []any{""}, "active": true,
		}},
		"total": 1.0, "revision": engine.Revision(), "up_to_date": true, "entry_point": "data.sark.decision", "memoised": true,
	}, r.Body)
}

const candidatePolicy = `"package sark\n\ndecision := {\"allow\": input.tool.name == \"a\"}"`

func TestPolicyValidate(t *testing.T) {
	g := newGateway(t, nil)
	for name, test := range map[string]struct {
		body string
		want map[string]any
	}{
		"cases": {
			`{"policy_content":` + candidatePolicy + `,"test_cases":[{"name":"a","tool":"a","expect":{"allow":true}},{"name":"b","tool":"b","expect":{"allow":true}}]}`,
			map[string]any{"valid": false, "errors": []any{}, "warnings": []any{}, "test_results": []any{
				map[string]any{"name": "a", "passed": true, "why": ""},
				map[string]any{"name": "b", "passed": false, "why": "allow: want true, got false"},
			}},
		},
		"modules": {
			`{"modules":{"a.rego":` + candidatePolicy + `}}`,
			map[string]any{"valid": true, "errors": []any{}, "warnings": []any{}, "test_results": []any{}},
		},
		"a forbidden function": {
			`{"policy_content":"package sark\n\ndecision := {\"allow\": input.a}\nx := opa.runtime().env"}`,
			map[string]any{"valid": false, "warnings": []any{}, "test_results": []any{}, "errors": []any{map[string]any{
				"code": "FORBIDDEN_OPA_RUNTIME", "severity": "error", "file": "policy.rego", "line": 4.0,
				"message": "opa.runtime reaches outside the policy while a request waits; give what it needs as data, or allow it with --allow opa.runtime",
			}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			diff(t, "judgement", test.want, pickFields(t, g.post(t, "/api/v1/policy/validate", test.body), "valid", "errors", "warnings", "test_results"))
		})
	}
	for name, body := range map[string]string{
		"nothing":       `{}`,
		"both":          `{"policy_content":"package sark","modules":{"a":"package sark"}}`,
		"a wrong case":  `{"policy_content":` + candidatePolicy + `,"test_cases":[{"name":"a"}]}`,
		"too long":      `{"policy_content":"` + strings.Repeat("#", 256<<10+1) + `"}`,
		"unknown field": `{"policy":"package sark"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if r := g.post(t, "/api/v1/policy/validate", body); r.Code != 422 {
				t.Errorf("status %d, body %v; want 422", r.Code, r.Body)
			}
		})
	}
}

func TestGatewayAuthorize(t *testing.T) {
	g := newGateway(t, nil)
	fields := []string{"allow", "rule", "cache_ttl", "filtered_parameters"}
	for name, test := range map[string]struct {
		body string
		want map[string]any
	}{
		"allowed": {
			`{"action":"gateway:tool:invoke","server_name":"desk","tool_name":"find_customer","parameters":{"q":"x"}}`,
			map[string]any{"allow": true, "rule": "rbac.analyst", "cache_ttl": 60.0, "filtered_parameters": map[string]any{"q": "x"}},
		},
		"a level that is raised": {
			`{"action":"gateway:tool:invoke","server_name":"desk","tool_name":"find_customer","sensitivity_level":"critical"}`,
			map[string]any{"allow": false, "rule": "main.not_granted", "cache_ttl": 0.0, "filtered_parameters": nil},
		},
		"a level that cannot be lowered": {
			`{"action":"gateway:tool:invoke","server_name":"bank","tool_name":"transfer","sensitivity_level":"low"}`,
			map[string]any{"allow": false, "rule": "main.not_granted", "cache_ttl": 0.0, "filtered_parameters": nil},
		},
		"a server that nobody knows": {
			`{"action":"gateway:server:info","server_name":"nowhere"}`,
			map[string]any{"allow": false, "rule": "", "cache_ttl": 0.0, "filtered_parameters": nil},
		},
		"tools": {
			`{"action":"gateway:tool:discover","server_name":"desk"}`,
			map[string]any{"allow": true, "rule": "protocol.lifecycle", "cache_ttl": 60.0, "filtered_parameters": map[string]any{}},
		},
		"servers": {
			`{"action":"gateway:server:list"}`,
			map[string]any{"allow": true, "rule": "api.read", "cache_ttl": 60.0, "filtered_parameters": map[string]any{}},
		},
		"the audit trail": {
			`{"action":"gateway:audit:view"}`,
			map[string]any{"allow": false, "rule": "main.not_granted", "cache_ttl": 0.0, "filtered_parameters": nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(test.body, "bank") {
				g.principal = administrator()
				g.register(t, "bank", `,"sensitivity_level":"high"`)
				g.principal = analyst()
			}
			diff(t, "answer", test.want, pickFields(t, g.post(t, "/api/v1/gateway/authorize", test.body), fields...))
		})
	}
	for _, body := range []string{`{}`, `{"action":"tool:invoke"}`, `{"action":"gateway:tool:invoke"}`, `{"action":"gateway:server:list","sensitivity_level":"top"}`} {
		if r := g.post(t, "/api/v1/gateway/authorize", body); r.Code != 422 {
			t.Errorf("%s: status %d, body %v; want 422", body, r.Code, r.Body)
		}
	}
}

// TestGatewayMetadataIsContext: policies see all that the caller tells.
func TestGatewayMetadataIsContext(t *testing.T) {
	g := newGateway(t, nil)
	g.post(t, "/api/v1/gateway/authorize", `{"action":"gateway:server:list","gateway_metadata":{"pod":"a"},"context":{"x":1}}`)
	g.mu.Lock()
	defer g.mu.Unlock()
	in := g.inputs[len(g.inputs)-1]
	diff(t, "context", map[string]any{"x": 1.0, "gateway_metadata": map[string]any{"pod": "a"}}, in.Context)
	if in.Principal.ID != "ada" || in.Call.Action != "server:read" {
		t.Errorf("asked for %q by %q, want server:read by ada", in.Call.Action, in.Principal.ID)
	}
}
