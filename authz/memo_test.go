package authz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// remembering are policies whose decisions are remembered. They show as much as they can of what they read.
var remembering = map[string]string{
	"13 paths": thirteen,
	"printer": `package sark
decision := {"allow": true, "reason": sprintf("%v %v", [input.tool.parameters, json.marshal(input.principal)]), "rule": rule}
default rule := "none"
rule := sprintf("%v %v %v %v", [input.server, input.request, input.resource.id, input.time.hour])`,
	"everything": `package sark
decision := {"allow": true, "reason": json.marshal([
	object.get(input, "action", 0), object.get(input, "server", 0), object.get(input, "tool", 0), object.get(input, "resource", 0),
	object.get(input, "context", 0), object.get(input, "time", 0), object.get(input, "nothing", 0), object.get(input, "policy_config", 0),
	object.get(input, "principal", 0), object.get(input, "mcp", 0), object.get(input, "request", 0), object.get(input, "version", 0),
])}`,
	"objects": `package sark
decision := {"allow": true, "reason": json.marshal([
	object.get(input, ["tool", "parameters", "user", "x"], "none"), object.get(input.principal, "shoe_size", "none"),
	object.get(input.principal.claims, ["dept", "x"], "none"), object.get(input.request.headers, "b", "none"),
	object.get(input.mcp, ["arguments", "list"], "none"), object.get(input.time, "weekday", 0),
	object.get(input.request, ["headers", "a"], 0), object.get(input.policy_config, "limit", 0),
])}`,
	"bare": `package sark
decision := {"allow": true, "reason": json.marshal([
	object.get(input.principal, "shoe_size", "none"), object.get(input.request, "cookies", "none"),
	object.get(input.mcp, "session", "none"), object.get(input.time, "zone", "none"),
])}`,
	"undefined": `package sark
decision := {"allow": input.tool.parameters.amount < 100} if input.tool.parameters["a b"] != input.user.claims["a b"]`,
	"absence": `package sark
decision := {"allow": true, "rule": "no name"} if not input.tool.parameters.x
else := {"allow": true, "rule": "null"} if input.tool.parameters.x == null
else := {"allow": false, "rule": "type", "reason": type_name(input.mcp.arguments.x)}`,
	"form": `package sark
decision := {"allow": true, "rule": json.marshal(input.tool.parameters.amount), "reason": substring("abcdef", input.tool.parameters.amount, 2)}`,
	"obligations": `package sark
decision := {"allow": true, "obligations": {"redact": input.principal.roles, "limit": {"rate": count(input.server.teams) + 1, "period": input.time.minute + 1}}}`,
	"claims": `package sark
decision := {"allow": true, "reason": sprintf("%v %v %v", [input.user.mfa_verified, input.principal.claims.level, input.principal.role])}`,
	"guards": `package sark
decision := {"allow": false, "rule": "deny"} if deny
else := {"allow": true, "rule": "allow", "reason": concat(",", reasons)} if input.policy_config.limit > 2
deny if {
	input.policy_config.strict
	input.request.client_ip != "10.0.0.1"
}
deny if {
	some hour in object.get(input.policy_config, ["closed", "hours"], [])
	input.time.hour == hour
	not input.principal.id in input.policy_config.closed.except
}
deny if {
	input.mcp.method == data.modes[input.policy_config.mode].refuses
	input.server.id
}
reasons contains input.tool.name if not strict
reasons contains input.tool.sensitivity_level if strict
strict if input.policy_config.strict`,
	"errors before guards": `package sark
decision := {"allow": true} if not slow
slow if {
	two_values(input.tool.name) > 0
	count(input.policy_config) > 100
	input.action == "tool:invoke"
}
two_values("run_report") := 1
two_values(name) := 2 if name != ""`,
	"conflict": "package sark\ndecision := {\"allow\": true} if input.tool.known\ndecision := {\"allow\": false} if input.tool.read_only",
}

// policyConfigs are settings with which the checks of the default policy, and of the policies above, are off, on or mistaken.
var policyConfigs = map[string]map[string]any{
	"off": {"limit": 3},
	"on": {
		"limit": 2, "strict": true, "mode": "b", "closed": map[string]any{"hours": []any{0, 1, 23}, "except": []any{"root"}},
		"business_hours": map[string]any{
			"start": 9, "end": 17, "levels": []any{"low", "high"}, "actions": []any{"server:register"}, "exempt_roles": []any{"admin"},
		},
		"ip_blocklist": []any{"fe80::/10"}, "ip_allowlist": []any{"10.0.0.0/31"}, "allow_private_ips": false, "vpn_ip_ranges": []any{"::1/128"},
		"mfa_required_levels": []any{"high"}, "mfa_required_tools": []any{"x"}, "mfa_required_actions": []any{"policy:evaluate"},
		"mfa_methods": []any{"totp"}, "mfa_exempt_roles": []any{"service"}, "max_amount": 1,
	},
	"mistaken": {
		"limit": "3", "strict": 0, "mode": []any{"a"}, "closed": map[string]any{"hours": map[string]any{"a": 0}},
		"business_hours": map[string]any{"start": "9", "levels": "low"}, "ip_blocklist": "10.0.0.1", "ip_allowlist": map[string]any{},
		"mfa_required_levels": "high", "mfa_required_tools": map[string]any{"a": "x"}, "max_amount": "1",
	},
}

// TestMemoIsExact asks random questions, each twice, and then questions that differ in one value from one of them. Every
// answer, remembered or not, is the one that OPA gives to the whole document.
func TestMemoIsExact(t *testing.T) {
	bundles := map[string]string{"default policy": ""}
	for name, policy := range remembering {
		bundles[name] = writeFiles(t, map[string]string{"p.rego": policy, "data.json": `{"modes": {"b": {"refuses": "x"}}}`})
	}
	for name, bundle := range bundles {
		for setting, config := range policyConfigs {
			t.Run(name+"/"+setting, func(t *testing.T) { memoIsExact(t, bundle, config, uint64(len(name))) })
		}
	}
}

func memoIsExact(t *testing.T, bundle string, config map[string]any, seed uint64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	e := open(t, authz.Options{Bundle: bundle, PolicyConfig: config, Metrics: registry})
	if a := e.Analysis(); !a.Memoised {
		t.Fatalf("not memoised: %v", a.Why)
	}
	h := newHostile(seed)
	people := make([]*authn.Principal, 12)
	for i := range people {
		people[i] = h.principal()
	}
	for range 100 {
		in := h.input(people)
		compareWithTopdown(t, e, in)
		compareWithTopdown(t, e, in)
	}
	everything := callTool(analyst(), `{"x":null,"amount":1,"query":"q","limit":2}`)
	everything.Resource = authz.Resource{Type: "user", ID: "ana"}
	for _, in := range []*authz.Input{everything, h.input(people), h.input(people)} {
		compareWithTopdown(t, e, in)
		for _, in := range h.neighbours(in) {
			compareWithTopdown(t, e, in)
		}
	}
	if hits := lookups(t, registry, "hit"); hits < 50 {
		t.Errorf("%v remembered", hits)
	}
}

// FuzzMemo does as TestMemoIsExact with other seeds, and with settings that change while the engine runs.
func FuzzMemo(f *testing.F) {
	f.Add(uint64(1), true, "high", 0)
	f.Add(uint64(2), false, "low", 23)
	e := open(f, authz.Options{})
	f.Fuzz(func(t *testing.T, seed uint64, allowPrivate bool, level string, hour int) {
		err := e.Apply(authz.Settings{PolicyConfig: map[string]any{
			"allow_private_ips": allowPrivate, "ip_allowlist": []any{"fe80::/10"}, "mfa_required_levels": []any{level},
			"business_hours": map[string]any{"start": hour, "end": hour - 1, "levels": []any{level}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		h := newHostile(seed)
		people := []*authn.Principal{h.principal(), h.principal()}
		in := h.input(people)
		for _, in := range append(h.neighbours(in), in, in, h.input(people)) {
			compareWithTopdown(t, e, in)
		}
	})
}

// lookups returns how many look-ups had the given result.
func lookups(t *testing.T, registry *prometheus.Registry, result string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "sark_authz_memo_lookups_total" && m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// anyTier leaves out what differs between a remembered decision and a made one.
var anyTier = cmp.Options{cmpopts.IgnoreFields(authz.Decision{}, "ID", "Tier"), cmp.Comparer(func(a, b error) bool {
	return (a == nil) == (b == nil)
})}

// compareWithTopdown decides on an input, and compares with what the interpreter says about its whole document.
func compareWithTopdown(t *testing.T, e *authz.Engine, in *authz.Input) authz.Decision {
	t.Helper()
	got := e.Decide(t.Context(), in)
	document, err := authz.Document(in, time.UTC)
	if err != nil {
		return got // for example a number out of range, where nobody reads it
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "policy_config") // the engine's
	if document, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	want, err := e.EvalJSON(t.Context(), document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, anyTier); diff != "" {
		t.Errorf("%s\ndecision of tier %q (-interpreter +engine):\n%s", document, got.Tier, diff)
	}
	return got
}

// TestNumbersKeepTheirForm: 1, 1.0 and 1e0 are equal in Rego, and yet policies can tell them apart: by printing them, and
// with functions that want a whole number.
func TestNumbersKeepTheirForm(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": remembering["form"]})})
	who := analyst()
	for _, number := range []string{"1", "1.0", "1e0", "1", "1.0", "1e0"} {
		in := callTool(who, `{"amount":`+number+`}`)
		if d := compareWithTopdown(t, e, in); d.Allow == (number == "1e0") || (d.Allow && d.Rule != number) {
			t.Errorf("%s: %+v", number, d)
		}
	}
}

// TestEqualArgumentsShareADecision: what differs only in writing, or is not read, is one question.
func TestEqualArgumentsShareADecision(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": input.tool.parameters.user.name == "é", "reason": input.tool.parameters.query}`})})
	who := analyst()
	for i, arguments := range []string{
		`{"user":{"name":"é"},"query":"q"}`,
		`{"query":"q","user":{"name":"é"}}`,
		` { "user" : { "name" : "\u00E9" } , "query" : "\u0071" } `,
		`{"us\u0065r":{"age":[1,{"user":2}],"name":"é"},"query":"q","other":{"query":"x"}}`,
	} {
		if d := compareWithTopdown(t, e, callTool(who, arguments)); !d.Allow || (d.Tier == "memo") != (i > 0) {
			t.Errorf("%s: %+v", arguments, d)
		}
	}
}

// TestEqualLookingPrincipalsShareADecision: a policy that reads roles alone is asked once for all who have the same.
func TestEqualLookingPrincipalsShareADecision(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": "package sark\ndecision := {\"allow\": \"analyst\" in input.principal.roles}"})})
	one, other := analyst(), analyst()
	other.ID, other.Fingerprint = "bob", [32]byte{9}
	for i, who := range []*authn.Principal{one, other} {
		if d := e.Decide(t.Context(), callTool(who, `{}`)); !d.Allow || (d.Tier == "memo") != (i > 0) {
			t.Errorf("%s: %+v", who.ID, d)
		}
	}
}

// TestNotRemembered: these questions have no key, and are answered all the same, every time.
func TestNotRemembered(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": object.get(input, ["context", "a"], 1) == 1, "reason": json.marshal(input.tool.parameters)}`})})
	long := fmt.Sprintf(`{"a":"%01100d"}`, 0)
	deep := `{"a":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}`
	withContext := callTool(analyst(), `{}`)
	withContext.Context = map[string]any{"a": 1}
	for name, in := range map[string]*authz.Input{
		"long": callTool(analyst(), long), "deep": callTool(analyst(), deep), "context": withContext,
	} {
		for range 2 {
			if d := compareWithTopdown(t, e, in); !d.Allow || d.Tier != "topdown" {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}

// TestFailuresAreNotRemembered: a question that could not be answered is asked again.
func TestFailuresAreNotRemembered(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": count(numbers.range(1, 300000)) > 0}`}), Timeout: time.Minute})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	in := callTool(analyst(), `{}`)
	if d := e.Decide(canceled, in); d.Allow || d.Err == nil {
		t.Errorf("with a caller who has left: %+v", d)
	}
	if d := e.Decide(t.Context(), in); !d.Allow || d.Tier != "topdown" {
		t.Errorf("with a caller who waits: %+v", d)
	}
}

// TestEveryHitIsADecision: remembered decisions have ids of their own, and share their obligations.
func TestEveryHitIsADecision(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": true, "obligations": {"redact": ["$.a"], "limit": {"rate": 1, "period": 60}}}`})})
	ids := map[uuid.UUID]bool{}
	var first authz.Decision
	for i := range 1000 {
		d := e.Decide(t.Context(), callTool(analyst(), `{}`))
		ids[d.ID] = true
		if i == 0 {
			first = d
		}
		if diff := cmp.Diff(first, d, anyTier); diff != "" || d.ID.Version() != 7 || d.ID.Variant() != uuid.RFC4122 {
			t.Fatalf("id %v (-first +later):\n%s", d.ID, diff)
		}
		if d.Obligations.Limit != first.Obligations.Limit {
			t.Fatal("the obligations were copied")
		}
	}
	if len(ids) != 1000 {
		t.Errorf("%d ids for 1000 decisions", len(ids))
	}
}

// TestSettingsAndTime: what the engine adds to the input is part of the question.
func TestSettingsAndTime(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": true, "reason": sprintf("%v %d:%d %d", [input.policy_config.name, input.time.hour, input.time.minute, input.time.weekday])}`})})
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 3*3600+1800)} {
		for _, name := range []string{"a", "b"} {
			if err := e.Apply(authz.Settings{PolicyConfig: map[string]any{"name": name}, Location: zone}); err != nil {
				t.Fatal(err)
			}
			for minute := range 3 * 60 {
				in := callTool(analyst(), `{}`)
				in.Time = in.Time.Add(time.Duration(minute) * time.Minute)
				at := in.Time.In(zone)
				want := fmt.Sprintf("%s %d:%d %d", name, at.Hour(), at.Minute(), (at.Weekday()+6)%7+1)
				for range 2 {
					if d := e.Decide(t.Context(), in); d.Reason != want {
						t.Errorf("%q, want %q", d.Reason, want)
					}
				}
			}
		}
	}
}

// TestMemoAcrossReloads: under load, a decision that begins after a reload or a change of settings never comes from before.
func TestMemoAcrossReloads(t *testing.T) {
	files := func(n int) map[string]string {
		f := numbered(n)
		f["policy.rego"] = fmt.Sprintf(`package sark
decision := {"allow": true, "rule": "%d", "reason": data.number} if input.tool.parameters.n >= 0`, n)
		return f
	}
	dir := writeFiles(t, files(1))
	e := open(t, authz.Options{Bundle: dir, WatchInterval: -1})
	who := analyst()
	question := func(i int) *authz.Input { return callTool(who, fmt.Sprintf(`{"n":%d}`, i%40)) }
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for c := range 4 {
		callers.Go(func() {
			for i := c; ctx.Err() == nil; i++ {
				revisionOf(t, e.Decide(context.Background(), question(i)))
			}
		})
	}
	for n := 2; n <= 15; n++ {
		replaceFiles(t, dir, files(n))
		if err := e.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range 200 {
			if got := revisionOf(t, e.Decide(t.Context(), question(i))); got != fmt.Sprint(n) {
				t.Fatalf("revision %q after reload %d", got, n)
			}
		}
	}
	stop()
	callers.Wait()
}

// TestConcurrentHits lets callers with buffers of their own ask for few decisions at once, and change the buffers at once.
func TestConcurrentHits(t *testing.T) {
	e := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": input.mcp.name == input.tool.parameters.name, "reason": input.mcp.name}`})})
	who := analyst()
	var callers sync.WaitGroup
	for c := range 4 {
		callers.Go(func() {
			name, arguments := make([]byte, 4), []byte(`{"name":"...."}`)
			for i := range 2000 {
				content := fmt.Sprintf("%04d", (i*7+c)%50)
				copy(name, content)
				copy(arguments[9:], content)
				in := callTool(who, "")
				in.Call.Name, in.Call.Arguments = mcp.Text(name), arguments
				if d := e.Decide(context.Background(), in); !d.Allow || d.Reason != content {
					t.Errorf("%s: %+v", content, d)
				}
			}
		})
	}
	callers.Wait()
}
