package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sark/store/migrations"
)

func (p *program) migrateCommand() *cobra.Command {
	c := command("migrate", "Brings the database schema up to date.",
		`It opens the PostgreSQL database of store.url, or without one the SQLite database in data_dir, and applies
the steps that are missing; "sark serve" does the same for SQLite. With --dry-run it lists those steps and
applies none. With --sql it opens nothing and prints the statements of all steps.`,
		"docs/audit-schema.md", "sark migrate --data-dir /var/lib/sark", "sark migrate --config sark.yaml --dry-run")
	c.Args = noArguments
	dryRun := c.Flags().Bool("dry-run", false, "list the steps that are missing and apply none")
	asSQL := c.Flags().Bool("sql", false, "print the SQL of all steps")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *dryRun && *asSQL {
			return misused("give --dry-run or --sql, not both")
		}
		loaded, err := p.load()
		if err != nil {
			return err
		}
		s := schemaOf(&loaded.Config)
		switch {
		case *asSQL:
			return p.printSQL(s)
		case *dryRun:
			return p.migrateDryRun(c.Context(), s)
		}
		return p.migrate(c.Context(), s)
	}
	return c
}

func (p *program) printSQL(s schema) error {
	text, err := migrations.SQL(s.dialect)
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

func (p *program) migrateDryRun(ctx context.Context, s schema) error {
	pending, err := s.pending(ctx)
	if err != nil {
		return err
	}
	for _, step := range pending {
		if _, err := fmt.Fprintf(p.stdout, "pending %s\n", step.Name); err != nil {
			return err
		}
	}
	if len(pending) == 0 {
		_, err = fmt.Fprintf(p.stdout, "%s is up to date\n", s.name)
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s lacks %s; nothing was applied\n", s.name, steps(len(pending)))
	return err
}

func (p *program) migrate(ctx context.Context, s schema) error {
	applied, failure := s.apply(ctx)
	for _, step := range applied {
		if _, err := fmt.Fprintf(p.stdout, "applied %s\n", step.Name); err != nil {
			return err
		}
	}
	if failure != nil {
		return failure
	}
	outcome := "was up to date already"
	if len(applied) > 0 {
		outcome = "is up to date; " + steps(len(applied)) + " applied"
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s\n", s.name, outcome)
	return err
}

func steps(n int) string {
	if n == 1 {
		return "1 step"
	}
	return fmt.Sprintf("%d steps", n)
}
