package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sark/store/migrations"
)

func (p *program) migrateCommand() *cobra.Command {
	c := command("migrate", "Brings the database schema up to date.",
		`It opens the PostgreSQL database of store.url, or without one the SQLite database in data_dir, and applies
the steps that are missing. "sark serve" does the same where its login may, but leaves two things to this
command: to turn a plain trail that has events already into partitions or a hypertable, while which nobody
can write and events wait in the gateways' spools; and the roles sark_writer, sark_reader and sark_admin,
which logins are granted (store.roles: false does without). Run it as the owner of the tables.

With --dry-run it lists what is missing and applies nothing. With --sql it opens nothing and prints all
statements: those for plain PostgreSQL, or for the --mode that is given.`,
		"docs/operations.md#the-database", "sark migrate --data-dir /var/lib/sark", "sark migrate --config sark.yaml --dry-run",
		"sark migrate --config sark.yaml --sql --mode timescale")
	c.Args = noArguments
	dryRun := c.Flags().Bool("dry-run", false, "list what is missing and apply nothing")
	asSQL := c.Flags().Bool("sql", false, "print the SQL of all steps")
	mode := addChoice(c.Flags(), "mode", string(migrations.ModeNone), "with --sql: TimescaleDB of the server",
		string(migrations.ModeNone), string(migrations.ModeApache), string(migrations.ModeTimescale))
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *dryRun && *asSQL {
			return misused("give --dry-run or --sql, not both")
		}
		loaded, err := p.load()
		if err != nil {
			return err
		}
		s := schemaOf(&loaded.Config)
		s.ensure.Before = func(statement string) { p.say("%s ...", title(statement)) }
		switch {
		case *asSQL:
			return p.printSQL(s, migrations.Mode(mode.value))
		case *dryRun:
			return p.migrateDryRun(c.Context(), s)
		}
		return p.migrate(c.Context(), s)
	}
	return c
}

func (p *program) printSQL(s schema, mode migrations.Mode) error {
	text, err := migrations.SQL(s.dialect)
	if err != nil {
		return err
	}
	var rest change
	if s.dialect == migrations.Postgres {
		if err := s.all(mode, &rest); err != nil {
			return err
		}
	}
	for _, statement := range rest.statements() {
		text += statement + ";\n"
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

func (p *program) migrateDryRun(ctx context.Context, s schema) error {
	lacks, err := s.pending(ctx)
	if err != nil {
		return err
	}
	if err := p.listChange("pending", &lacks); err != nil {
		return err
	}
	if lacks.size() == 0 {
		_, err = fmt.Fprintf(p.stdout, "%s is up to date\n", s.name)
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s lacks %s; nothing was applied\n", s.name, steps(lacks.size()))
	return err
}

func (p *program) migrate(ctx context.Context, s schema) error {
	done, failure := s.apply(ctx)
	if err := p.listChange("applied", &done); err != nil {
		return err
	}
	if failure != nil {
		return failure
	}
	outcome := "was up to date already"
	if done.size() > 0 {
		outcome = "is up to date; " + steps(done.size()) + " applied"
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s\n", s.name, outcome)
	return err
}

// listChange prints a line for each part of a change. The grants of roles are one part.
func (p *program) listChange(word string, c *change) error {
	var lines []string
	for _, step := range c.steps {
		lines = append(lines, step.Name)
	}
	for _, statement := range c.trail {
		lines = append(lines, title(statement))
	}
	if len(c.roles) > 0 {
		lines = append(lines, "database roles sark_writer, sark_reader, sark_admin")
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(p.stdout, "%s %s\n", word, line); err != nil {
			return err
		}
	}
	return nil
}

// size is how many lines listChange prints.
func (c *change) size() int {
	return len(c.steps) + len(c.trail) + min(len(c.roles), 1)
}

// title is what a statement says of itself: its first line.
func title(statement string) string {
	first, _, _ := strings.Cut(statement, "\n")
	return strings.TrimPrefix(first, "-- ")
}

func steps(n int) string {
	if n == 1 {
		return "1 step"
	}
	return fmt.Sprintf("%d steps", n)
}
