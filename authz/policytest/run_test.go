package policytest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/authz/policytest"
)

// writeFiles writes files into a new directory.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func run(t *testing.T, o policytest.Options) *policytest.Report {
	t.Helper()
	suite, err := policytest.Load(t.Context(), o)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	r, err := suite.Run(t.Context())
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return r
}

// TestShippedPolicy is the promise that the default policy is tested: nothing fails, and at least 95 % of each file is
// reached.
func TestShippedPolicy(t *testing.T) {
	r := run(t, policytest.Options{})
	for _, result := range r.Results {
		if result.Outcome != "pass" {
			t.Errorf("%s: %s: %s", result.File, result.Name, result.Why)
		}
	}
	for _, c := range r.Coverage {
		if c.Percent < 95 {
			t.Errorf("%s: %.1f %% covered; nothing reaches lines %v", c.File, c.Percent, c.NotCovered)
		}
	}
	if r.Passed < 60 || len(r.Coverage) < 10 {
		t.Errorf("%d tests of %d files; the bundle has more", r.Passed, len(r.Coverage))
	}
}

const toy = `package sark

default decision := {"allow": false, "rule": "no"}

decision := {"allow": true, "rule": "yes", "reason": "asked nicely", "obligations": {"redact": ["$.a"], "cache": {"ttl": 5}}} if {
	input.tool.parameters.please == true
}

decision := {"allow": true, "rule": "never"} if input.action == "tool:never"

decision := {"allow": true, "rule": "list"} if {
	input.mcp.phase == "list"
	input.tool.name == data.shown[_]
}
`

func TestReport(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"toy.rego":            toy,
		"data.json":           `{"shown": ["b"]}`,
		"toy_test.rego":       "package toy_test\n\ntest_good if data.shown == [\"b\"]\n\ntest_bad if 1 == 2\n\ntodo_test_later if false\n",
		".hidden/x_test.yaml": "nonsense",
		"more/cases_test.yaml": `
cases:
  - {name: right, tool: a, arguments: {please: true}, expect: {allow: true, rule: "yes", reason: asked nicely, obligations: {redact: [$.a], cache: {ttl: 5}}}}
  - {name: wrong decision, tool: a, expect: {allow: true}}
  - {name: wrong obligations, tool: a, arguments: {please: true}, expect: {allow: true, obligations: {}}}
  - {name: list, tools: [a, b], expect: {allow: false, shows: [b]}}
  - {name: wrong list, tools: [a, b], expect: {shows: [a, b]}}
  - {name: patched, tool: a, input: {tool: {parameters: {please: true}}}, expect: {allow: true}}
`,
	})

	r := run(t, policytest.Options{Bundle: dir})

	want := []policytest.Result{
		{File: "toy_test.rego", Name: "test_good", Outcome: "pass"},
		{File: "toy_test.rego", Name: "test_bad", Outcome: "fail"},
		{File: "toy_test.rego", Name: "todo_test_later", Outcome: "skip"},
		{File: "more/cases_test.yaml", Name: "right", Outcome: "pass"},
		{File: "more/cases_test.yaml", Name: "wrong decision", Outcome: "fail"},
		{File: "more/cases_test.yaml", Name: "wrong obligations", Outcome: "fail"},
		{File: "more/cases_test.yaml", Name: "list", Outcome: "pass"},
		{File: "more/cases_test.yaml", Name: "wrong list", Outcome: "fail"},
		{File: "more/cases_test.yaml", Name: "patched", Outcome: "pass"},
	}
	sorted := cmpopts.SortSlices(func(a, b policytest.Result) bool { return a.File+a.Name < b.File+b.Name })
	if diff := cmp.Diff(want, r.Results, cmpopts.IgnoreFields(policytest.Result{}, "Why"), sorted); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	for _, result := range r.Results {
		if (result.Outcome == "pass") != (result.Why == "") {
			t.Errorf("%s: %s says %q", result.Name, result.Outcome, result.Why)
		}
	}
	wantCoverage := []policytest.Coverage{{File: "toy.rego", Percent: r.Percent, NotCovered: [][2]int{{9, 9}}}}
	if diff := cmp.Diff(wantCoverage, r.Coverage); diff != "" || r.Percent >= 100 || r.Percent < 50 {
		t.Errorf("coverage %.1f (-want +got):\n%s", r.Percent, diff)
	}
}

func TestCasesThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":              "",
		"no cases":             "cases: []",
		"no name":              "cases: [{tool: a, expect: {allow: true}}]",
		"no expectation":       "cases: [{name: x, tool: a}]",
		"empty expectation":    "cases: [{name: x, tool: a, expect: {rule: a}}]",
		"unknown field":        "cases: [{name: x, tool: a, alow: true, expect: {allow: true}}]",
		"unknown tool field":   "cases: [{name: x, tool: {nam: a}, expect: {allow: true}}]",
		"unknown server field": "cases: [{name: x, tool: a, server: {team: [a]}, expect: {allow: true}}]",
		"wrong type":           "cases: [{name: x, tool: 7, expect: {allow: true}}]",
		"text for a boolean":   "cases: [{name: x, tool: a, expect: {allow: 'yes'}}]",
		"twice the same field": "cases: [{name: x, name: y, tool: a, expect: {allow: true}}]",
		"method and action":    "cases: [{name: x, method: ping, action: a:b, expect: {allow: true}}]",
		"shows without tools":  "cases: [{name: x, method: tools/list, expect: {shows: []}}]",
		"no YAML":              "cases: [",
		"key that is no text":  "1: 2",
	} {
		t.Run(name, func(t *testing.T) {
			if cases, err := policytest.ParseCases([]byte(text)); err == nil {
				t.Errorf("read as %+v", cases)
			}
		})
	}
}

func FuzzParseCases(f *testing.F) {
	f.Add("cases: [{name: x, tool: a, expect: {allow: true}}]")
	f.Add("defaults: {principal: {id: a}}\ncases: [{name: x, tool: {name: a}, tools: [a], expect: {shows: []}}]")
	f.Fuzz(func(t *testing.T, text string) {
		cases, err := policytest.ParseCases([]byte(text))
		for _, c := range cases {
			if err != nil || c.Name == "" || c.Expect == nil {
				t.Errorf("read %+v, error %v", c, err)
			}
		}
	})
}
