package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sark/authz/policytest"
)

// testOptions are the flags of policy test.
type testOptions struct {
	bundle, tests string
	coverage      bool
	threshold     float64
	output        *choice
}

func (p *program) policyTestCommand() *cobra.Command {
	c := command("test", "Runs the tests of a policy: Rego tests and calls of MCP written in YAML.",
		`It tests the policy of the configuration (the default policies when there is none) with the tests that lie
beside it: *_test.rego, and *_test.yaml with cases, each a call and the answer that is expected. policy_config
is that of the configuration unless a case has its own. --coverage prints how much of each file the tests
reach and which lines they do not. The exit code is 1 when a test fails, when there is none, or when the
coverage is below --threshold.`,
		"docs/policy.md#testing-a-policy", "sark policy test", "sark policy test --bundle ./policy --coverage --threshold 95")
	c.Args = noArguments
	var o testOptions
	f := c.Flags()
	f.StringVar(&o.bundle, "bundle", "", "`PATH` of a policy directory or bundle file, instead of the configuration's")
	f.StringVar(&o.tests, "tests", "", "`PATH` of a directory with tests or of a file with cases, instead of those beside the policy")
	f.BoolVar(&o.coverage, "coverage", false, "print the coverage of each file")
	f.Float64Var(&o.threshold, "threshold", 0, "fail when less than this `PERCENT` of the policy is reached")
	o.output = addOutput(f)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.policyTest(c.Context(), o) }
	return c
}

func (p *program) policyTest(ctx context.Context, o testOptions) error {
	if o.threshold < 0 || o.threshold > 100 {
		return misused("--threshold: should be from 0 to 100")
	}
	loaded, err := p.load()
	if err != nil {
		return err
	}
	source, err := p.policySource(&loaded.Config, o.bundle)
	if err != nil {
		return err
	}
	suite, err := policytest.Load(ctx, policytest.Options{Bundle: source.bundle, Tests: o.tests, Settings: source.settings})
	if err != nil {
		return fmt.Errorf("load the policy and its tests: %w", err)
	}
	report, err := suite.Run(ctx)
	if err != nil {
		return fmt.Errorf("run the tests: %w", err)
	}
	if o.output.json() {
		err = p.printJSON(report)
	} else {
		err = p.printTests(report, o)
	}
	if err != nil {
		return err
	}
	return o.verdict(p, report)
}

// verdict says whether the policy has passed.
func (o *testOptions) verdict(p *program, r *policytest.Report) error {
	switch {
	case r.Failed > 0:
		return exit{exitFailure}
	case r.Passed == 0:
		p.say("sark: there are no tests: write *_test.rego or *_test.yaml beside the policy, or name them with --tests")
		return exit{exitFailure}
	case r.Percent < o.threshold:
		p.say("sark: the tests reach %.1f %% of the policy, less than --threshold %g", r.Percent, o.threshold)
		return exit{exitFailure}
	}
	return nil
}

// printTests writes what failed, the coverage and the sum for people.
func (p *program) printTests(r *policytest.Report, o testOptions) error {
	t := &table{out: p.stdout}
	for _, result := range r.Results {
		if result.Outcome == "pass" {
			continue
		}
		if err := t.write([]string{strings.ToUpper(result.Outcome), result.File, result.Name, result.Why}); err != nil {
			return err
		}
	}
	if o.coverage {
		if err := p.printCoverage(r); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.stdout, "%d passed, %d failed, %d skipped; %.1f %% of the policy is covered (revision %s)\n",
		r.Passed, r.Failed, r.Skipped, r.Percent, r.Revision)
	return err
}

func (p *program) printCoverage(r *policytest.Report) error {
	t := &table{out: p.stdout}
	rows := make([][]string, 0, len(r.Coverage))
	for _, c := range r.Coverage {
		var lines []string
		for _, l := range c.NotCovered {
			text := fmt.Sprint(l[0])
			if l[1] != l[0] {
				text = fmt.Sprintf("%d-%d", l[0], l[1])
			}
			lines = append(lines, text)
		}
		rows = append(rows, []string{c.File, fmt.Sprintf("%.1f %%", c.Percent), strings.Join(lines, ", ")})
	}
	return t.write(rows...)
}
