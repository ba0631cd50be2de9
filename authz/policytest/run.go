package policytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"sark/authz"
)

// Report is what a run has shown.
type Report struct {
	// Revision is that of the policy.
	Revision string `json:"revision"`
	// Results has one result for each test and case, in the order of files and of the tests in them.
	Results []Result `json:"results"`
	// Passed, Failed and Skipped count them.
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	// Coverage is how much of each file of the policy was reached, sorted by name.
	Coverage []Coverage `json:"coverage"`
	// Percent is how much of all files together was reached, 0 to 100.
	Percent float64 `json:"coverage_percent"`
}

// Result is the outcome of one test or case.
type Result struct {
	File string `json:"file"`
	Name string `json:"name"`
	// Outcome is "pass", "fail" or "skip".
	Outcome string `json:"outcome"`
	// Why says what was different; empty for a pass.
	Why string `json:"why,omitempty"`
}

// The outcomes.
const (
	pass = "pass"
	fail = "fail"
	skip = "skip"
)

// Run runs all tests. Its error is about tests that cannot be run at all; those that fail are in the report.
func (s *Suite) Run(ctx context.Context) (*Report, error) {
	r := &Report{Revision: s.bundle.Manifest.Revision, Results: []Result{}}
	reached := cover.New()
	if err := s.runRego(ctx, r, reached); err != nil {
		return nil, err
	}
	for _, f := range s.cases {
		r.Results = append(r.Results, s.runCases(ctx, f.name, f.cases, rego.EvalQueryTracer(reached))...)
	}
	for i := range r.Results {
		switch r.Results[i].Outcome {
		case pass:
			r.Passed++
		case skip:
			r.Skipped++
		default:
			r.Failed++
		}
	}
	r.Coverage, r.Percent = s.coverage(reached)
	return r, nil
}

// runRego runs the tests that are written in Rego.
func (s *Suite) runRego(ctx context.Context, r *Report, reached topdown.QueryTracer) error {
	if len(s.tests) == 0 {
		return nil
	}
	modules := s.modules()
	for name, m := range s.tests {
		modules[name] = m
	}
	data := s.bundle.Data
	if data == nil {
		data = map[string]any{}
	}
	results, err := tester.NewRunner().
		SetModules(modules).
		SetStore(inmem.NewFromObject(data)).
		SetCoverageQueryTracer(reached).
		RunTests(ctx, nil)
	if err != nil {
		return fmt.Errorf("compile the tests: %w", err)
	}
	for found := range results {
		r.Results = append(r.Results, s.regoResult(found))
	}
	slices.SortStableFunc(r.Results, func(a, b Result) int { return strings.Compare(a.File, b.File) })
	return ctx.Err()
}

func (s *Suite) regoResult(from *tester.Result) Result {
	r := Result{File: s.short(from.Location.File), Name: from.Name, Outcome: pass}
	switch {
	case from.Skip:
		r.Outcome, r.Why = skip, "its name begins with todo_"
	case from.Error != nil:
		r.Outcome, r.Why = fail, from.Error.Error()
	case from.Fail:
		r.Outcome, r.Why = fail, fmt.Sprintf("line %d: the rule is false or undefined", from.Location.Row)
	}
	return r
}

// modules returns the modules of the policy by file name.
func (s *Suite) modules() map[string]*ast.Module {
	modules := map[string]*ast.Module{}
	for _, m := range s.bundle.Modules {
		modules[m.Parsed.Package.Location.File] = m.Parsed
	}
	return modules
}

// runCases asks all questions of a file.
func (s *Suite) runCases(ctx context.Context, file string, cases []Case, options ...rego.EvalOption) []Result {
	results := make([]Result, len(cases))
	for i := range cases {
		results[i] = Result{File: s.short(file), Name: cases[i].Name, Outcome: pass}
		if why := Check(ctx, s.trial, s.loc.Location, &cases[i], options...); why != "" {
			results[i].Outcome, results[i].Why = fail, why
		}
	}
	return results
}

// Check asks a policy about a case and says how the answer differs from the expected one; empty when it does not.
func Check(ctx context.Context, t *authz.Trial, loc *time.Location, c *Case, options ...rego.EvalOption) string {
	document, err := c.question(loc, nil)
	if err != nil {
		return err.Error()
	}
	d, err := t.Decide(ctx, document, options...)
	if err != nil {
		return err.Error()
	}
	differences := c.Expect.compare(&d)
	if c.Expect.Shows != nil {
		shown, err := c.shown(ctx, t, loc, options)
		if err != nil {
			return err.Error()
		}
		if want := present(*c.Expect.Shows); !slices.Equal(want, shown) {
			differences = append(differences, differs("shows", want, shown))
		}
	}
	return strings.Join(differences, "; ")
}

// shown asks about each tool of a list, and returns the names of those that stay.
func (c *Case) shown(ctx context.Context, t *authz.Trial, loc *time.Location, options []rego.EvalOption) ([]string, error) {
	names := []string{}
	for i := range c.Tools {
		document, err := c.question(loc, &c.Tools[i])
		if err != nil {
			return nil, err
		}
		d, err := t.Decide(ctx, document, options...)
		if err != nil {
			return nil, err
		}
		if d.Allow {
			names = append(names, c.Tools[i].Name)
		}
	}
	return names, nil
}
