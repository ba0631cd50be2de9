package validation_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz/policytest"
	"sark/authz/validation"
)

func cases(t *testing.T, text string) []policytest.Case {
	t.Helper()
	c, err := policytest.ParseCases([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// summary is what the tests compare of a judgement.
type summary struct {
	Valid            bool
	Errors, Warnings []string
	Passed           []bool
}

func judge(t *testing.T, c validation.Candidate) summary {
	t.Helper()
	j := validation.Judge(t.Context(), c)
	s := summary{Valid: j.Valid}
	for _, f := range j.Errors {
		s.Errors = append(s.Errors, f.Code)
	}
	for _, f := range j.Warnings {
		s.Warnings = append(s.Warnings, f.Code)
	}
	for _, r := range j.Results {
		s.Passed = append(s.Passed, r.Passed)
		if r.Passed != (r.Why == "") {
			t.Errorf("result %+v", r)
		}
	}
	return s
}

func TestJudge(t *testing.T) {
	asked := cases(t, `cases: [{name: a, tool: a, expect: {allow: true}}, {name: b, tool: b, expect: {allow: true}}]`)
	for name, test := range map[string]struct {
		text string
		want summary
	}{
		"good":         {`decision := {"allow": input.tool.name in {"a", "b"}}`, summary{Valid: true, Passed: []bool{true, true}}},
		"a case fails": {`decision := {"allow": input.tool.name == "a"}`, summary{Passed: []bool{true, false}}},
		"with data":    {`decision := {"allow": input.tool.name in data.tools}`, summary{Valid: true, Passed: []bool{true, true}}},
		"a warning": {
			`decision := {"allow": time.now_ns() > count(input.tool.name)}`,
			summary{Valid: true, Warnings: []string{"NONDETERMINISTIC_BUILTIN"}, Passed: []bool{true, true}},
		},
		"no Rego":        {`decision :=`, summary{Errors: []string{"PARSE_ERROR", "PARSE_ERROR"}}},
		"no entry point": {`x := 1`, summary{Errors: []string{"NO_ENTRY_POINT"}}},
		"unknown":        {`decision := {"allow": f(1)}`, summary{Errors: []string{"COMPILE_ERROR"}}},
		"the network": {
			`decision := {"allow": http.send({"method": "get", "url": input.u}).ok}`,
			summary{Errors: []string{"FORBIDDEN_HTTP_SEND"}, Warnings: []string{"NONDETERMINISTIC_BUILTIN"}},
		},
		"the process": {
			`decision := {"allow": opa.runtime().env.HOME == input.u}`,
			summary{Errors: []string{"FORBIDDEN_OPA_RUNTIME"}, Warnings: []string{"NONDETERMINISTIC_BUILTIN"}},
		},
		"a policy that does not end": {
			`decision := {"allow": count([1 | numbers.range(1, 100000)[_]; numbers.range(1, 100000)[_] == input.tool.name]) >= 0}`,
			summary{Passed: []bool{false, false}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(t, validation.Candidate{
				Modules: map[string]string{"p.rego": "package sark\n\n" + test.text},
				Data:    map[string]any{"tools": []any{"a", "b"}}, Cases: asked,
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("judgement (-want +got):\n%s", diff)
			}
		})
	}
}
