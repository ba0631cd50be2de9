package authz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// manyServers is the default policy with data of n servers, which a rule of it reads.
func manyServers(b *testing.B, n int) map[string]string {
	b.Helper()
	servers := map[string]any{}
	for i := range n {
		servers[fmt.Sprint("server-", i)] = map[string]any{
			"owner": fmt.Sprint("user-", i%100), "teams": []string{"support", fmt.Sprint("team-", i%50)},
			"tools": map[string]string{"read": "low", "write": "medium", "drop": "critical"}, "closed": false,
		}
	}
	data, err := json.Marshal(map[string]any{"servers": servers})
	if err != nil {
		b.Fatal(err)
	}
	files := defaultPolicy(b)
	files["data.json"] = string(data)
	files["closed.rego"] = "package sark\ndeny[\"closed\"] := \"the server is closed\" if data.servers[input.server.id].closed"
	return files
}

// BenchmarkReload measures how long it takes until a changed policy with the data of many servers is in force.
func BenchmarkReload(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n, " servers"), func(b *testing.B) {
			dir := writeFiles(b, manyServers(b, n))
			e := open(b, authz.Options{Bundle: dir, WatchInterval: -1})
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Reload(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTwoCallers measures how long decisions take while two callers ask as fast as they can, with 10,000 servers in the
// policy's data: remembered ones, and ones that the policy is evaluated for. The percentiles are of the wall clock.
func BenchmarkTwoCallers(b *testing.B) {
	files := manyServers(b, 10_000)
	remembered := open(b, authz.Options{Bundle: writeFiles(b, files)})
	files["context.rego"] = "package sark\ndeny[\"context\"] := \"none\" if input.context.none" // questions with a context have no key
	evaluated := open(b, authz.Options{Bundle: writeFiles(b, files)})
	for _, bm := range []struct {
		tier    string
		e       *authz.Engine
		context map[string]any
	}{{"memo", remembered, nil}, {"topdown", evaluated, map[string]any{"a": 1}}} {
		b.Run(bm.tier, func(b *testing.B) {
			var questions []*authz.Input
			for _, p := range people(1000) {
				in := callTool(p, sqlArguments)
				in.Request.Headers, in.Context, in.Server.ID = nil, bm.context, "server-77"
				questions = append(questions, in)
			}
			warm(context.Background(), bm.e, questions)
			b.ResetTimer()
			report(b, twoCallers(b, bm.e, questions, bm.tier))
		})
	}
}

// twoCallers asks b.N questions and returns how long each took.
func twoCallers(b *testing.B, e *authz.Engine, questions []*authz.Input, tier string) []time.Duration {
	b.Helper()
	took := make([]time.Duration, b.N)
	var callers sync.WaitGroup
	for _, mine := range [][]time.Duration{took[:b.N/2], took[b.N/2:]} {
		callers.Go(func() {
			for i := range mine {
				start := time.Now()
				d := e.Decide(context.Background(), questions[i%len(questions)])
				mine[i] = time.Since(start)
				if !d.Allow || d.Tier != tier {
					b.Errorf("decision %+v", d)
					return
				}
			}
		})
	}
	callers.Wait()
	return took
}

func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	for name, part := range map[string]float64{"p50-ns": 0.5, "p99-ns": 0.99, "p99.9-ns": 0.999} {
		b.ReportMetric(float64(took[int(part*float64(len(took)-1))]), name)
	}
}

// BenchmarkShare measures all that a tools/call costs on its way to a decision: reading the message, the key and the memo, or
// the document and the policy.
func BenchmarkShare(b *testing.B) {
	body := []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"run_report","arguments":` + sqlArguments + `}}`)
	e, who := open(b, authz.Options{}), analyst()
	var in *authz.Input
	share := func(b *testing.B, change func(who *authn.Principal)) {
		b.ReportAllocs()
		var call mcp.Call
		for b.Loop() {
			if err := mcp.Parse(&call, body, mcp.Header{}); err != nil {
				b.Fatal(err)
			}
			if change != nil {
				p := *who
				change(&p)
				in = callTool(&p, "")
			}
			in.Call = &call
			if d := e.Decide(context.Background(), in); !d.Allow {
				b.Fatal(d)
			}
		}
	}
	in = callTool(who, "")
	in.Request.Headers = nil
	b.Run("remembered", func(b *testing.B) { share(b, nil) })
	b.Run("first time", func(b *testing.B) {
		n := 0
		share(b, func(p *authn.Principal) { n++; p.ID, p.Fingerprint = fmt.Sprint(n), [32]byte{} })
	})
}
