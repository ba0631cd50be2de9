package api_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"sark/authz"
	"sark/internal/api"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// verdict is what the tests of the shipped policy compare.
type verdict struct {
	Decision, Rule string
	Parameters     any
}

func verdictOf(t *testing.T, r reply) verdict {
	t.Helper()
	body, ok := r.Body.(map[string]any)
	if r.Code != 200 || !ok {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	return verdict{body["decision"].(string), body["rule"].(string), body["filtered_parameters"]}
}

func TestEvaluateByTheDefaultPolicy(t *testing.T) {
	g := newGateway(t, nil)
	low := g.register(t, "wiki", `,"sensitivity_level":"low"`)
	g.post(t, "/api/v1/servers/", `{"name":"bank","transport":"http","endpoint":"http://a/","sensitivity_level":"high",
		"teams":[],"tools":[{"name":"balance","sensitivity_level":"low"}]}`)
	parameters := map[string]any{"q": "x"}
	cases := []struct {
		name, body string
		want       verdict
	}{
		{
			"configured server", `{"action":"tool:invoke","tool":"find_customer","server_id":"desk","parameters":{"q":"x"}}`,
			verdict{"allow", "rbac.analyst", parameters},
		},
		{
			"registered server by id", `{"action":"tool:invoke","tool":"find","server_id":"` + low + `"}`,
			verdict{"allow", "rbac.analyst", map[string]any{}},
		},
		{
			"registered server by name", `{"action":"tool:invoke","tool":"find","server_id":"wiki","parameters":{"q":"x"}}`,
			verdict{"allow", "rbac.analyst", parameters},
		},
		{
			"level of the server", `{"action":"tool:invoke","tool":"transfer","server_id":"bank","parameters":{"q":"x"}}`,
			verdict{"deny", "main.not_granted", nil},
		},
		{"unknown action", `{"action":"apikey:manage"}`, verdict{"deny", "main.not_granted", nil}},
		{"management action", `{"action":"server:read"}`, verdict{"allow", "api.read", map[string]any{}}},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			diff(t, "verdict", c.want, verdictOf(t, g.post(t, "/api/v1/policy/evaluate", c.body)))
		})
	}
}

func TestEvaluateShape(t *testing.T) {
	g := newGateway(t, nil)

	r := g.post(t, "/api/v1/policy/evaluate/", `{"action":"tool:invoke","tool":"find_customer","server_id":"desk"}`)

	body := r.Body.(map[string]any)
	if _, err := uuid.Parse(body["decision_id"].(string)); err != nil {
		t.Errorf("decision_id: %v", err)
	}
	for _, name := range []string{"reason", "policy_revision"} {
		if s, _ := body[name].(string); s == "" {
			t.Errorf("%s is empty", name)
		}
		delete(body, name)
	}
	delete(body, "decision_id")
	delete(body, "obligations")
	diff(t, "verdict", map[string]any{
		"decision": "allow", "rule": "rbac.analyst", "filtered_parameters": map[string]any{}, "audit_id": g.exchange.String(),
	}, body)
}

func TestEvaluateAsAnotherNeedsPermission(t *testing.T) {
	g := newGateway(t, nil)
	asEve := `{"user_id":"eve","roles":["viewer"],"teams":["ops"],"scopes":["a"],"action":"tool:invoke","tool":"find_customer","server_id":"desk"}`

	refused := g.post(t, "/api/v1/policy/evaluate", asEve)
	g.principal = administrator()
	allowed := g.post(t, "/api/v1/policy/evaluate", asEve)
	g.principal = analyst()
	itself := g.post(t, "/api/v1/policy/evaluate", `{"user_id":"ada","action":"tool:invoke","tool":"find_customer","server_id":"desk"}`)

	body := refused.Body.(map[string]any)
	diff(t, "refusal", []any{403, "forbidden", g.exchange.String()}, []any{refused.Code, body["code"], body["request_id"]})
	if body["decision_id"] == g.decision.String() || body["decision_id"] == "" || body["detail"] == "" {
		t.Errorf("the refusal does not name its own decision and reason: %v", body)
	}
	diff(t, "as eve", "deny", verdictOf(t, allowed).Decision)
	diff(t, "as itself", "allow", verdictOf(t, itself).Decision)

	var principals []*authn.Principal
	for _, in := range g.inputs {
		principals = append(principals, in.Principal)
	}
	eve := &authn.Principal{
		ID: "eve", Type: authn.TypeUser, Method: authn.MethodAPIKey, Roles: []string{"viewer"}, Teams: []string{"ops"}, Scopes: []string{"a"},
	}
	diff(t, "principals", []*authn.Principal{analyst(), administrator(), eve, analyst()}, principals)
	diff(t, "first question", authz.Resource{Type: "user", ID: "eve"}, g.inputs[0].Resource)
}

func TestEvaluateAsksWhatARealCallAsks(t *testing.T) {
	now := at("12:34:56")
	g := newGateway(t, func(o *api.Options) { o.Now = func() time.Time { return now } })
	id := g.register(t, "wiki", `,"sensitivity_level":"low","teams":["ops"]`)
	wiki := authz.Server{
		ID: id, Name: "wiki", SensitivityLevel: "low", Teams: []string{"ops"}, OwnerID: "ada", Status: "registered",
	}
	cases := []struct {
		name, body string
		want       authz.Input
	}{
		{
			"tool", `{"action":"tool:invoke","tool":"find","server_id":"wiki","parameters":{"limit":5},"context":{"ticket":"T1"}}`,
			authz.Input{
				Call: &mcp.Call{
					Method: "tools/call", Action: "tool:invoke", ResourceType: "tool", Name: "find", Arguments: []byte(`{"limit":5}`),
				},
				Server: wiki, Tool: authz.Tool{Name: "find", SensitivityLevel: "low"},
				Resource: authz.Resource{Type: "tool", ID: "find"}, Context: map[string]any{"ticket": "T1"},
			},
		},
		{
			"resource", `{"action":"resource:read","server_id":"wiki","parameters":{"uri":"wiki://home"}}`,
			authz.Input{
				Call: &mcp.Call{
					Method: "resources/read", Action: "resource:read", ResourceType: "resource", URI: "wiki://home", ReadOnly: true,
				},
				Server: wiki, Tool: authz.Tool{SensitivityLevel: "low"}, Resource: authz.Resource{Type: "resource", ID: "wiki://home"},
			},
		},
		{
			"other method", `{"action":"mcp:tasks/cancel","parameters":{"taskId":"t7"}}`,
			authz.Input{
				Call:     &mcp.Call{Method: "tasks/cancel", Action: "mcp:tasks/cancel", ResourceType: "task", Name: "t7"},
				Resource: authz.Resource{Type: "task", ID: "t7"},
			},
		},
		{
			"management", `{"action":"server:delete","server_id":"` + id + `","parameters":{"force":true}}`,
			authz.Input{
				Call: &mcp.Call{
					Kind: mcp.Plain, Action: "server:delete", ResourceType: "server", Name: id, Arguments: []byte(`{"force":true}`),
				},
				Server: wiki, Tool: authz.Tool{SensitivityLevel: "low"},
				Resource: authz.Resource{Type: "server", ID: id, SensitivityLevel: "low", Teams: []string{"ops"}, OwnerID: "ada"},
			},
		},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if r := g.post(t, "/api/v1/policy/evaluate", c.body); r.Code != 200 {
				t.Fatalf("status %d, body %v", r.Code, r.Body)
			}
			got := g.inputs[len(g.inputs)-1]
			c.want.Principal, c.want.Time = analyst(), now
			c.want.Request = authz.Request{Method: "POST", Path: "/api/v1/policy/evaluate", ClientIP: netip.MustParseAddr("192.0.2.7")}
			options := cmp.Options{cmpopts.IgnoreFields(mcp.Call{}, "ID", "Params"), cmpopts.EquateComparable(netip.Addr{})}
			if d := cmp.Diff(c.want, got, options); d != "" {
				t.Errorf("input (-want +got):\n%s", d)
			}
		})
	}
}

// answering is a policy with one answer, for demands that the shipped policy does not make.
type answering authz.Decision

func (d answering) Decide(context.Context, *authz.Input) authz.Decision { return authz.Decision(d) }

func TestEvaluateShowsDemands(t *testing.T) {
	redact, err := authz.NewRedaction(authz.RedactRule{Path: "$..ssn"}, authz.RedactRule{In: authz.InArguments, Path: "$.card"},
		authz.RedactRule{In: authz.InResult, Path: "$.list"})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, func(o *api.Options) {
		o.Decider = answering{Allow: true, Obligations: authz.Obligations{
			Redact: redact, CacheTTL: 90 * time.Second, Severity: "high",
			Limit: &authz.Limit{Key: "tool", Rate: 5, Period: time.Minute, Burst: 2},
		}}
	})

	r := g.post(t, "/api/v1/policy/evaluate", `{"action":"tool:invoke","tool":"a","parameters":{
		"customer":{"ssn":{"n":1},"name":"ssn"},"list":[{"ssn":"1"},"card",12345678901234567890],"card":[1,2],"ok":null}}`)

	body := r.Body.(map[string]any)
	diff(t, "parameters", any(map[string]any{
		"customer": map[string]any{"ssn": map[string]any{"n": 0.0}, "name": "ssn"},
		"list":     []any{map[string]any{"ssn": "[redacted]"}, "card", 12345678901234567890.0},
		"card":     []any{0.0, 0.0}, "ok": nil,
	}), body["filtered_parameters"])
	diff(t, "obligations", any(map[string]any{
		"redact": []any{
			"$..ssn", map[string]any{"in": "arguments", "path": "$.card"}, map[string]any{"in": "result", "path": "$.list"},
		}, "cache_ttl": 90.0, "severity": "high",
		"limit": map[string]any{"key": "tool", "rate": 5.0, "period": 60.0, "burst": 2.0},
	}), body["obligations"])
}

func TestEvaluateWithoutPolicyDenies(t *testing.T) {
	g := newGateway(t, func(o *api.Options) { o.Decider = answering{Reason: authz.ReasonUnavailable} })

	r := g.post(t, "/api/v1/policy/evaluate", `{"action":"tool:invoke","tool":"a"}`)

	diff(t, "body", any(map[string]any{
		"decision": "deny", "reason": "pdp_unavailable", "filtered_parameters": nil, "audit_id": g.exchange.String(),
		"obligations": map[string]any{}, "rule": "", "decision_id": "", "policy_revision": "",
	}), r.Body)
}

func TestEvaluateNamesEveryMistake(t *testing.T) {
	g := newGateway(t, nil)
	cases := []struct {
		name, body string
		want       []mistake
	}{
		{"empty", `{}`, []mistake{{"body.action", "missing"}}},
		{"action of wrong form", `{"action":"invoke"}`, []mistake{{"body.action", "string_pattern_mismatch"}}},
		{"action of wrong type", `{"action":["a:b"]}`, []mistake{{"body.action", "string_type"}}},
		{"no tool", `{"action":"tool:invoke"}`, []mistake{{"body.tool", "missing"}}},
		{"parameters", `{"action":"tool:list","parameters":[]}`, []mistake{{"body.parameters", "object_type"}}},
		{"parameters of the method", `{"action":"prompt:get","parameters":{"Name":"x"}}`, []mistake{{"body.parameters", "value_error"}}},
		{"context", `{"action":"tool:list","context":"x"}`, []mistake{{"body.context", "object_type"}}},
		{"roles for oneself", `{"action":"tool:list","roles":["admin"]}`, []mistake{{"body.user_id", "value_error"}}},
		{"roles for oneself by name", `{"user_id":"ada","action":"tool:list","teams":[]}`, []mistake{{"body.user_id", "value_error"}}},
		{"empty role", `{"user_id":"eve","action":"tool:list","roles":[""]}`, []mistake{{"body.roles.0", "string_too_short"}}},
		{"control characters", `{"user_id":"e\u0000ve","action":"tool:list","tool":"\n","server_id":"\t"}`, []mistake{
			{"body.user_id", "string_control"}, {"body.tool", "string_control"}, {"body.server_id", "string_control"},
		}},
		{"unknown field", `{"action":"tool:list","user":"eve"}`, []mistake{{"body.user", "extra_forbidden"}}},
		{"duplicate key", `{"action":"tool:list","parameters":{"a":1,"a":2}}`, []mistake{{"body.parameters.a", "duplicate_key"}}},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			diff(t, "mistakes", c.want, mistakesOf(t, g.post(t, "/api/v1/policy/evaluate", c.body)))
		})
	}
}

func TestEvaluateForUnknownServerIs404(t *testing.T) {
	g := newGateway(t, nil)
	for _, server := range []string{"nowhere", "01900000-0000-7000-8000-000000000009"} {
		r := g.post(t, "/api/v1/policy/evaluate", `{"action":"tool:list","server_id":"`+server+`"}`)
		want := g.problem("not_found", "server_id: no server has this id or name")
		diff(t, server, []any{404, want}, []any{r.Code, r.Body})
	}
}
