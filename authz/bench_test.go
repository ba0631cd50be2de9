package authz_test

import (
	"context"
	"encoding/json"
	"testing"

	"sark/authz"
)

// BenchmarkDecide measures decisions that are not remembered: a context has no key, and the default policy reads it here.
func BenchmarkDecide(b *testing.B) {
	files := defaultPolicy(b)
	files["context.rego"] = "package sark\ndeny[\"context\"] := \"none\" if input.context.none"
	e := open(b, authz.Options{Bundle: writeFiles(b, files)})
	ctx := context.Background()
	b.Run("tools/call", func(b *testing.B) {
		in := callTool(analyst(), `{"name":"refunds","amount":30,"query":"select id, name from customers limit 50"}`)
		decide(ctx, b, e, in, true)
	})
	b.Run("tools/call denied", func(b *testing.B) {
		decide(ctx, b, e, callTool(analyst(), `{"amount":3000}`), false)
	})
	b.Run("tools/call admin", func(b *testing.B) {
		decide(ctx, b, e, callTool(admin(), `{"amount":3000}`), true)
	})
	b.Run("list item", func(b *testing.B) {
		decide(ctx, b, e, listItem(analyst(), authz.Tool{Name: "run_report", SensitivityLevel: "medium", Known: true}), true)
	})
}

func decide(ctx context.Context, b *testing.B, e *authz.Engine, in *authz.Input, want bool) {
	b.ReportAllocs()
	in.Context = map[string]any{"some": 1}
	for b.Loop() {
		if d := e.Decide(ctx, in); d.Allow != want || d.Tier != "topdown" {
			b.Fatalf("decision %+v", d)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		e, err := authz.Open(context.Background(), authz.Options{})
		if err != nil {
			b.Fatal(err)
		}
		e.Close(context.Background())
	}
}

func BenchmarkEvalJSON(b *testing.B) {
	e := open(b, authz.Options{})
	doc, err := json.Marshal(map[string]any{"action": "mcp:ping"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if d, err := e.EvalJSON(context.Background(), doc); err != nil || !d.Allow {
			b.Fatal(d, err)
		}
	}
}
