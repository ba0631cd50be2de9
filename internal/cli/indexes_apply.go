package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sark/store/indexes"
)

// applyOptions are the flags of indexes apply.
type applyOptions struct {
	dryRun, analyze bool
	output          *choice
}

func (p *program) indexesApplyCommand() *cobra.Command {
	c := command("apply", "Builds the indexes that are missing or not valid, while gateways write.",
		`It opens store.url, or the SQLite database in data_dir. In PostgreSQL each statement runs outside a
transaction and leaves the table writable: CREATE INDEX CONCURRENTLY on ordinary tables, the same on each
partition of a partitioned one, one chunk at a time on hypertables. What an interrupted build has left is
dropped and built anew. In SQLite, whose file has one writer, the gateway's writes wait for each build.

Every index is checked afterwards. One that fails does not stop the others; the exit code is 1 then, and each
is named with what to do. Running it again is safe, and does nothing when nothing is missing.`,
		"docs/operations.md#indexes-connections-and-slow-queries", "sark indexes apply --dry-run --config sark.yaml", "sark indexes apply --analyze --config sark.yaml")
	c.Args = noArguments
	var o applyOptions
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the statements, and which indexes are there already; run none")
	c.Flags().BoolVar(&o.analyze, "analyze", false, "bring the planner's statistics up to date afterwards")
	o.output = addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.indexesApply(c.Context(), o) }
	return c
}

func (p *program) indexesApply(ctx context.Context, o applyOptions) error {
	s, err := p.databaseSchema()
	if err != nil {
		return err
	}
	db, err := openIndexes(ctx, s)
	if err != nil {
		return s.failure(err)
	}
	run := p.planIndexes
	if !o.dryRun {
		run = p.buildIndexes
	}
	if err := errors.Join(run(ctx, db, o), db.Close()); err != nil {
		return s.failure(err)
	}
	return nil
}

// indexLine is an index as programs see it.
type indexLine struct {
	Index      string        `json:"index"`
	Table      string        `json:"table"`
	Shape      indexes.Shape `json:"shape"` // of the table
	Before     indexes.State `json:"before"`
	Now        string        `json:"now"` // "present", "planned" or "failed"
	Statements []string      `json:"statements"`
	Seconds    float64       `json:"seconds,omitempty"`
	Problem    string        `json:"problem,omitempty"` // with what to do
}

func newIndexLine(s indexes.Step) indexLine {
	l := indexLine{
		Index: s.Index.Name, Table: s.Index.Table, Shape: s.Shape, Before: s.State, Now: "present", Statements: list(s.Statements),
		Problem: s.Trouble,
	}
	switch {
	case s.Trouble != "":
		l.Now = "failed"
	case len(s.Statements) > 0:
		l.Now = "planned"
	}
	return l
}

// planIndexes prints what an apply would run, as a script: what is no statement is a comment.
func (p *program) planIndexes(ctx context.Context, db indexer, o applyOptions) error {
	steps, err := db.Plan(ctx)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if o.output.json() {
			err = p.printJSON(newIndexLine(s))
		} else {
			err = p.printPlan(s)
		}
		if err != nil {
			return err
		}
	}
	if o.analyze {
		p.say(`--analyze has no effect on a dry run; it would run ANALYZE on every table above`)
	}
	return nil
}

func (p *program) printPlan(s indexes.Step) error {
	_, err := fmt.Fprintf(p.stdout, "-- %s on %s %s: %s\n", s.Index.Name, s.Shape, s.Index.Table, s.State)
	if s.Trouble != "" && err == nil {
		_, err = fmt.Fprintf(p.stdout, "-- %s\n", oneLine(s.Trouble))
	}
	for _, statement := range s.Statements {
		if err == nil {
			_, err = fmt.Fprintf(p.stdout, "%s;\n", statement)
		}
	}
	return err
}

// buildIndexes builds what is missing and goes on after a failure. Every failure is told where it happens, and the exit code
// at the end.
func (p *program) buildIndexes(ctx context.Context, db indexer, o applyOptions) error {
	if err := db.Lock(ctx); err != nil {
		return err
	}
	steps, err := db.Plan(ctx)
	if err != nil {
		return err
	}
	var rows table
	rows.out = p.stdout
	built, failed := 0, 0
	for i, s := range steps {
		line := p.buildIndex(ctx, db, s, fmt.Sprintf("[%d/%d] ", i+1, len(steps)))
		if err := p.printIndex(&rows, line, i == 0, o.output.json()); err != nil {
			return err
		}
		switch {
		case line.Now == "failed":
			failed++
			p.say("sark: %s", oneLine(line.Problem))
		case len(s.Statements) > 0:
			built++
		}
		if stopped(ctx) {
			return ctx.Err()
		}
	}
	if o.analyze {
		if err := db.Analyze(ctx, func(statement string) { p.say("%s", statement) }); err != nil {
			return err
		}
	}
	p.say("%d of %d indexes are valid; %d built, %d failed", len(steps)-failed, len(steps), built, failed)
	if failed > 0 {
		return exit{exitFailure}
	}
	return nil
}

func (p *program) buildIndex(ctx context.Context, db indexer, s indexes.Step, progress string) indexLine {
	began := p.now()
	line := newIndexLine(s)
	line.Now = "present"
	if err := db.Run(ctx, s, func(statement string) { p.say("%s%s", progress, statement) }); err != nil {
		line.Now, line.Problem = "failed", err.Error()
	}
	if len(s.Statements) > 0 {
		line.Seconds = p.now().Sub(began).Seconds()
	}
	return line
}

func (p *program) printIndex(rows *table, l indexLine, first, asJSON bool) error {
	if asJSON {
		return p.printJSON(l)
	}
	took := ""
	if l.Seconds > 0 {
		took = seconds(time.Duration(l.Seconds * float64(time.Second)))
	}
	if first {
		rows.widths = []int{36, 15, 17, 8, 7}
		if err := rows.write([]string{"INDEX", "TABLE", "SHAPE", "BEFORE", "NOW", "TOOK"}); err != nil {
			return err
		}
	}
	return rows.write([]string{l.Index, l.Table, string(l.Shape), string(l.Before), l.Now, took})
}
