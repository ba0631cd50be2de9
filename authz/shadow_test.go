package authz_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"sark/authz"
)

// TestShadowCountsFlips: what a candidate would turn is told and counted, and changes nothing.
func TestShadowCountsFlips(t *testing.T) {
	registry := prometheus.NewRegistry()
	policy := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": input.mcp.arguments.n > 1, "rule": "old"}`})})
	candidate := open(t, authz.Options{Bundle: writeFiles(t, map[string]string{"p.rego": `package sark
decision := {"allow": input.mcp.arguments.n > 2, "rule": "new"} if input.mcp.arguments.n < 4 else := {"allow": true, "obligations": {"severity": "high"}}`})})
	type turned struct {
		Arguments  string
		Was, Would bool
		Rule       string
	}
	var got []turned
	s, err := authz.NewShadow(authz.ShadowOptions{
		Decider: policy, Candidate: candidate, Sample: 1, Metrics: registry,
		Flip: func(f authz.Flip) {
			got = append(got, turned{string(f.Input.Call.Arguments), f.Was.Allow, f.Would.Allow, f.Would.Rule})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		arguments := []byte(`{"n":` + strconv.Itoa(n) + `}`)
		in := callTool(analyst(), string(arguments))
		in.Call.Arguments = arguments
		if d := s.Decide(t.Context(), in); d.Allow != (n > 1) || d.Rule != "old" {
			t.Errorf("n = %d: %+v", n, d)
		}
		copy(arguments, "gone, with the request") // what was kept is a copy
	}
	s.Close(t.Context())

	if d := cmp.Diff([]turned{{`{"n":2}`, true, false, "new"}}, got); d != "" {
		t.Errorf("flips (-want +got):\n%s", d)
	}
	for result, want := range map[string]float64{"same": 3, "allow_to_deny": 1, "obligations": 1, "deny_to_allow": 0, "error": 0} {
		if got := counted(t, registry, "sark_authz_shadow_comparisons_total", "result", result); got != want {
			t.Errorf("%v comparisons are %s, want %v", got, result, want)
		}
	}
}

// counted sums a counter's series with a label.
func counted(t *testing.T, g prometheus.Gatherer, name, label, value string) (sum float64) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// TestObserverDropsWhatItCannotTake: a slow listener costs its own news, never a decision.
func TestObserverDropsWhatItCannotTake(t *testing.T) {
	registry := prometheus.NewRegistry()
	hold, entered := make(chan struct{}), make(chan struct{}, 8)
	w, err := authz.NewObserver(authz.ObserverOptions{
		Name: "slow", Decider: open(t, authz.Options{}), Sample: 1, Queue: 2, Metrics: registry,
		Handle: func(context.Context, *authz.Input, *authz.Decision) {
			entered <- struct{}{}
			<-hold
			panic("a listener's own trouble")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := callTool(admin(), `{}`)
	w.Decide(t.Context(), in)
	<-entered // one in hand; two may wait
	for range 5 {
		if d := w.Decide(t.Context(), in); !d.Allow {
			t.Errorf("denied: %+v", d)
		}
	}
	close(hold)
	w.Close(t.Context())
	expected := func(name string, want float64) {
		if got := counted(t, registry, name, "observer", "slow"); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	expected("sark_authz_observed_dropped_total", 3)
	expected("sark_authz_observed_total", 3)
	if d := w.Decide(t.Context(), in); !d.Allow {
		t.Errorf("after the end: %+v", d)
	}
}

func TestObserverSamples(t *testing.T) {
	e := open(t, authz.Options{})
	for _, sample := range []float64{0, 0.5, 1} {
		n := 0
		w, err := authz.NewObserver(authz.ObserverOptions{
			Name: "sampled", Decider: e, Sample: sample, Queue: 1000, Handle: func(context.Context, *authz.Input, *authz.Decision) { n++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			w.Decide(t.Context(), callTool(admin(), `{}`))
		}
		w.Close(t.Context())
		if share := float64(n) / 1000; share < sample-0.2 || share > sample+0.2 || sample == 0 && n > 0 || sample == 1 && n < 1000 {
			t.Errorf("sample %v: %d of 1000 were observed", sample, n)
		}
	}
	if _, err := authz.NewObserver(authz.ObserverOptions{Name: "x", Decider: e, Sample: 2, Handle: func(context.Context, *authz.Input, *authz.Decision) {}}); err == nil {
		t.Error("a share of 2 was taken")
	}
}

// TestReloadsOfBothPoliciesUnderLoad: while the policy and its candidate change, neither side of a comparison mixes revisions.
func TestReloadsOfBothPoliciesUnderLoad(t *testing.T) {
	const revisions = 10
	denying := func(n int) map[string]string {
		files := numbered(n)
		files["policy.rego"] = fmt.Sprintf("package sark\ndecision := {\"allow\": false, \"rule\": \"%d\", \"reason\": data.number}", n)
		return files
	}
	oldDir, newDir := writeFiles(t, numbered(1)), writeFiles(t, denying(1))
	policy, candidate := open(t, authz.Options{Bundle: oldDir, WatchInterval: -1}), open(t, authz.Options{Bundle: newDir, WatchInterval: -1})
	flips := 0
	s, err := authz.NewShadow(authz.ShadowOptions{Decider: policy, Candidate: candidate, Sample: 1, Flip: func(f authz.Flip) {
		flips++
		revisionOf(t, f.Was)
		if w := f.Would; w.Allow || w.Rule != w.Reason || w.Rule != w.Revision {
			t.Errorf("a candidate's decision of several revisions: %+v", w)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			for ctx.Err() == nil {
				revisionOf(t, s.Decide(context.Background(), callTool(analyst(), `{}`)))
			}
		})
	}
	for n := 2; n <= revisions; n++ {
		replaceFiles(t, oldDir, numbered(n))
		replaceFiles(t, newDir, denying(n))
		for _, e := range []*authz.Engine{policy, candidate} {
			if err := e.Reload(t.Context()); err != nil {
				t.Errorf("reload %d: %v", n, err)
			}
		}
	}
	stop()
	callers.Wait()
	s.Close(t.Context())
	if flips == 0 {
		t.Error("no decision was compared")
	}
}
