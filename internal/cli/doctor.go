package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sark/internal/app"
)

func (p *program) doctorCommand() *cobra.Command {
	c := command("doctor", "Asks the parts that a gateway depends on how they are.",
		`It asks the live parts of the configuration, from this host and as this user: whether data_dir can be written,
whether the database answers and its schema is up to date, whether each Redis answers and evicts what may not
go, when certificates end, whether the MCP servers can be reached, and how far the clocks are apart. There is
one line a part: ok, warn or fail, the setting that names it, and what to do. It changes nothing.

It ends with 1 when a part fails. "sark check" is for what is wrong with the configuration itself; a gateway
that runs is asked at /health/detailed.`,
		"docs/operations.md#when-something-is-wrong", "sark doctor --config /etc/sark/sark.yaml", "sark doctor --config sark.yaml --output json")
	c.Args = noArguments
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.doctor(c.Context(), output.json()) }
	return c
}

func (p *program) doctor(ctx context.Context, asJSON bool) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	found := app.Diagnose(ctx, &loaded.Config)
	if err := p.printDiagnoses(found, asJSON); err != nil {
		return err
	}
	for _, d := range found {
		if d.Verdict == app.DiagnosisFail {
			return exit{exitFailure}
		}
	}
	return nil
}

func (p *program) printDiagnoses(found []app.Diagnosis, asJSON bool) error {
	if asJSON {
		return p.printJSON(found)
	}
	rows := make([][]string, len(found))
	for i, d := range found {
		text := oneLine(d.Finding)
		if d.Fix != "" {
			text = strings.TrimSuffix(text, ".") + "; " + d.Fix
		}
		rows[i] = []string{d.Verdict, d.Part, d.Setting, text}
	}
	return (&table{out: p.stdout}).write(rows...)
}
