package authz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"sark/authz"
)

// gateway is the sample of testdata/gateway.rego with n servers, and 500 tools of 20 roles.
func gateway(tb testing.TB, n int) map[string]string {
	tb.Helper()
	levels, classes := []string{"low", "medium", "high", "critical"}, []string{"db", "fs", "web", "git", "chat"}
	servers, roles := map[string]any{}, map[string]any{}
	for i := range n {
		servers[fmt.Sprintf("srv-%05d", i)] = map[string]any{
			"class": classes[i%5], "sensitivity": levels[i%4], "status": "active", "owner": fmt.Sprint("team-", i%37),
			"teams":             []string{fmt.Sprint("team-", i%37), fmt.Sprint("team-", i%11), "platform"},
			"resource_prefixes": []string{"file:///srv/", "https://docs.example/"},
		}
	}
	for r := range 20 {
		tools := map[string]bool{classes[r%5] + "/sql_query": true}
		for t := 1; t < 25; t++ {
			tools[fmt.Sprintf("%s/tool_%d", classes[(r+t)%5], t)] = true
		}
		roles[fmt.Sprint("role-", r)] = tools
	}
	data, err := json.Marshal(map[string]any{
		"servers": servers, "role_tools": roles, "suspended": map[string]bool{"mallory": true},
		"blocked_cidrs": []string{"203.0.113.0/24", "198.51.100.0/24"},
		"redact_fields": map[string][]string{"high": {"ssn", "email"}, "critical": {"ssn", "email", "phone"}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	policy, err := os.ReadFile("testdata/gateway.rego")
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]string{"gateway.rego": string(policy), "data.json": string(data)}
}

// sampleCall asks for SQL on a database of high sensitivity, on a Tuesday at ten.
func sampleCall() *authz.Input {
	in := callTool(analyst(), sqlArguments)
	in.Principal.Roles, in.Principal.Teams = []string{"role-0", "role-3"}, []string{"team-10", "data"}
	in.Server = authz.Server{ID: "srv-00010", Name: "srv-00010", SensitivityLevel: "high", Teams: []string{"team-10"}}
	in.Tool = authz.Tool{Name: "sql_query", SensitivityLevel: "high", Known: true}
	in.Call.Name = "sql_query"
	in.Request.Headers = nil
	in.Time = time.Date(2026, time.November, 24, 10, 0, 0, 0, time.UTC)
	return in
}

// TestSample: what the benchmarks measure is an allow with all that the sample can demand.
func TestSample(t *testing.T) {
	e, in := open(t, authz.Options{Bundle: writeFiles(t, gateway(t, 500))}), sampleCall()
	for _, tier := range []string{"topdown", "memo"} {
		d := e.Decide(t.Context(), in)
		if !d.Allow || d.Tier != tier || d.Rule != "method" || d.Obligations.Redact == nil || len(d.Obligations.Redact.Rules) != 2 {
			t.Errorf("decision %+v", d)
		}
	}
	in.Call.Arguments = []byte(`{"query":"drop table customers"}`)
	if d := e.Decide(t.Context(), in); d.Allow || d.Reason != "sql-write" {
		t.Errorf("decision on a query that writes %+v", d)
	}
}

// BenchmarkSample measures the sample policy with 500 and 10,000 servers: as it is evaluated, and remembered.
func BenchmarkSample(b *testing.B) {
	for _, n := range []int{500, 10_000} {
		files := gateway(b, n)
		remembered := open(b, authz.Options{Bundle: writeFiles(b, files)})
		files["context.rego"] = "package sark\ndeny contains \"context\" if input.context.none" // questions with a context have no key
		evaluated := open(b, authz.Options{Bundle: writeFiles(b, files)})
		b.Run(fmt.Sprint(n, " servers/topdown"), func(b *testing.B) { decide(context.Background(), b, evaluated, sampleCall(), true) })
		b.Run(fmt.Sprint(n, " servers/memo"), func(b *testing.B) { askAll(b, remembered, []*authz.Input{sampleCall()}) })
	}
}
