package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sark/authz"
	"sark/authz/lint"
)

// lintOptions are the flags of policy lint.
type lintOptions struct {
	bundle string
	allow  []string
	strict bool
	output *choice
}

func (p *program) policyLintCommand() *cobra.Command {
	c := command("lint", "Finds mistakes in a policy and what makes it slow.",
		`It looks for grants without a condition, for functions that reach outside while a request waits (http.send,
opa.runtime, net.lookup_ip_addr), for what keeps the gateway from remembering decisions, and for traces of
debugging. The exit code is 1 when there is an error, or with --strict a warning.`,
		"docs/policy.md#linting-a-policy", "sark policy lint --bundle ./policy", "sark policy lint --bundle ./policy --allow http.send --strict")
	c.Args = noArguments
	var o lintOptions
	f := c.Flags()
	f.StringVar(&o.bundle, "bundle", "", "`PATH` of a policy directory or bundle file, instead of the configuration's")
	f.StringArrayVar(&o.allow, "allow", nil, "`FUNCTION` that is accepted, such as http.send; may be repeated")
	f.BoolVar(&o.strict, "strict", false, "fail on warnings too")
	o.output = addOutput(f)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.policyLint(c.Context(), o) }
	return c
}

func (p *program) policyLint(ctx context.Context, o lintOptions) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	source, err := p.policySource(&loaded.Config, o.bundle)
	if err != nil {
		return err
	}
	b, err := authz.ReadBundle(source.bundle)
	if err != nil {
		return err
	}
	found := lint.Bundle(ctx, b, lint.Options{Allow: o.allow})
	if err := p.printFindings(found, o.output.json()); err != nil {
		return err
	}
	bad := func(f lint.Finding) bool {
		return f.Severity == lint.Error || (o.strict && f.Severity == lint.Warning)
	}
	if slices.ContainsFunc(found, bad) {
		return exit{exitFailure}
	}
	return nil
}

func (p *program) printFindings(found []lint.Finding, asJSON bool) error {
	if asJSON {
		return p.printJSON(slices.Concat([]lint.Finding{}, found))
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(p.stdout, "nothing found")
		return err
	}
	t := &table{out: p.stdout}
	rows := make([][]string, 0, len(found))
	for _, f := range found {
		where := f.File
		if f.Line > 0 {
			where = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		rows = append(rows, []string{f.Severity, f.Code, where, f.Message})
	}
	return t.write(rows...)
}
