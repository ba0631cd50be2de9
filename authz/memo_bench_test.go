package authz_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"sark/authz"
	"sark/internal/authn"
)

// thirteen is a policy that reads 13 parts of the input, two of them arguments.
const thirteen = `package sark
decision := {"allow": count(parts) == 13}
parts := [
	input.principal.id, input.principal.roles, input.principal.teams, input.principal.claims.mfa_verified,
	input.action, input.server.id, input.tool.name, input.mcp.method, input.request.client_ip,
	input.time.hour, input.time.weekday, input.tool.parameters.query, input.tool.parameters.limit,
]`

const sqlArguments = `{"query":"select id, name from customers where region = 'EU' limit 50","limit":50}`

// cpuTime returns the processor time of the process in nanoseconds, which does not depend on what else runs on the machine.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// people returns analysts who differ in name.
func people(n int) []*authn.Principal {
	all := make([]*authn.Principal, n)
	for i := range all {
		p := analyst()
		p.ID, p.Fingerprint = fmt.Sprint("user-", i), [32]byte{byte(i), byte(i >> 8), 1}
		all[i] = p
	}
	return all
}

// warm asks every question once.
func warm(ctx context.Context, e *authz.Engine, questions []*authz.Input) {
	for _, in := range questions {
		e.Decide(ctx, in)
	}
}

// BenchmarkMemo measures a remembered decision, from the input to a decision with its own id.
func BenchmarkMemo(b *testing.B) {
	policies := map[string]authz.Options{
		"13 paths": {Bundle: writeFiles(b, map[string]string{"p.rego": thirteen})},
		"default":  {},
	}
	for name, o := range policies {
		e := open(b, o)
		for _, people := range [][]*authn.Principal{people(1), people(100), people(10_000)} {
			var questions []*authz.Input
			for i := range max(len(people), min(len(people)*100, 10_000)) {
				in := callTool(people[i%len(people)], sqlArguments)
				in.Request.Headers = nil
				if len(people) == 100 {
					in.Call.Arguments = fmt.Appendf(nil, `{"query":"select id, name from customers limit %d","limit":50}`, i)
				}
				if len(people) == 1 {
					questions = []*authz.Input{in}
					break
				}
				questions = append(questions, in)
			}
			b.Run(fmt.Sprintf("%s/%d keys of %d principals", name, len(questions), len(people)), func(b *testing.B) {
				askAll(b, e, questions)
			})
		}
	}
}

func askAll(b *testing.B, e *authz.Engine, questions []*authz.Input) {
	b.Helper()
	ctx := context.Background()
	warm(ctx, e, questions)
	b.ReportAllocs()
	misses, i := 0, 0
	before := cpuTime(b)
	for b.Loop() {
		if d := e.Decide(ctx, questions[i]); d.Tier != "memo" {
			misses++
		}
		if i++; i == len(questions) {
			i = 0
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(misses)/float64(b.N), "misses/op")
}

// BenchmarkToolsList asks for each of 500 tools whether it may be shown: every one for the first time after a reload
// (cold), and again (hot).
func BenchmarkToolsList(b *testing.B) {
	ctx := context.Background()
	questions := make([]*authz.Input, 500)
	who := analyst()
	for i := range questions {
		level := []string{"low", "medium", "high", "critical"}[i%4]
		questions[i] = listItem(who, authz.Tool{Name: fmt.Sprintf("tool_%d", i), SensitivityLevel: level, Known: true})
		questions[i].Request.Headers = nil
	}
	for name, o := range map[string]authz.Options{
		"default":  {},
		"13 paths": {Bundle: writeFiles(b, map[string]string{"p.rego": thirteen})},
	} {
		b.Run(name+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				e := open(b, o)
				b.StartTimer()
				warm(ctx, e, questions)
				b.StopTimer()
				e.Close(ctx)
				b.StartTimer()
			}
		})
		b.Run(name+"/hot", func(b *testing.B) {
			e := open(b, o)
			warm(ctx, e, questions)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				warm(ctx, e, questions)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
