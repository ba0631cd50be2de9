package authz_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
)

func TestBundles(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"p.rego":    "package sark\n\ndecision := {\"allow\": true}",
		".manifest": `{"revision": "7", "roots": ["sark"]}`,
	})
	for name, test := range map[string]struct {
		options authz.Options
		want    func(*authz.Engine) []authz.Bundle
	}{
		"a directory": {
			authz.Options{Bundle: dir, WatchInterval: -1},
			func(*authz.Engine) []authz.Bundle {
				return []authz.Bundle{{Name: "sark", Revision: "7", Roots: []string{"sark"}, Path: dir}}
			},
		},
		"what is built in": {
			authz.Options{},
			func(e *authz.Engine) []authz.Bundle {
				return []authz.Bundle{{Name: "sark", Revision: e.Revision(), Roots: []string{""}}}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, test.options)
			got, err := e.Bundles(t.Context())
			if diff := cmp.Diff(test.want(e), got); err != nil || diff != "" {
				t.Errorf("error %v, bundles (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestTrialDecidesAsTheEngine compares both on one question of each kind.
func TestTrialDecidesAsTheEngine(t *testing.T) {
	b, err := authz.ReadBundle("")
	if err != nil {
		t.Fatal(err)
	}
	trial, err := authz.NewTrial(t.Context(), b, authz.Settings{PolicyConfig: map[string]any{"max_amount": 10}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, authz.Options{PolicyConfig: map[string]any{"max_amount": 10}})
	for _, input := range []string{
		`{}`,
		`{"action": "tool:invoke", "principal": {"roles": ["analyst"]}, "tool": {"sensitivity_level": "low", "parameters": {"amount": 10}}}`,
		`{"action": "tool:invoke", "principal": {"roles": ["analyst"]}, "tool": {"sensitivity_level": "low", "parameters": {"amount": 11}}}`,
		`{"action": "tool:invoke", "principal": {"roles": ["admin"]}, "tool": {"sensitivity_level": "high"}}`,
	} {
		want, errEngine := e.EvalJSON(t.Context(), []byte(input))
		got, errTrial := trial.Decide(t.Context(), []byte(input))
		got.ID, want.ID = [16]byte{}, [16]byte{}
		if diff := cmp.Diff(want, got); diff != "" || errEngine != nil || errTrial != nil {
			t.Errorf("%s: errors %v, %v; decisions (-engine +trial):\n%s", input, errEngine, errTrial, diff)
		}
	}
	for _, read := range e.Analysis().Reads { // a trial's documents bring settings of their own, so it knows no rule to be off
		if !slices.Contains(trial.Analysis().Reads, read) && !strings.HasPrefix(read, "input.policy_config") {
			t.Errorf("the engine reads %s, the trial does not", read)
		}
	}
	if time := "input.time.hour"; !slices.Contains(trial.Analysis().Reads, time) || slices.Contains(e.Analysis().Reads, time) {
		t.Errorf("%s is read by the trial alone; engine %v, trial %v", time, e.Analysis(), trial.Analysis())
	}
}
