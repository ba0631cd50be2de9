package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sark/authz/replay"
	"sark/configs"
	"sark/internal/app"
	"sark/store"
)

// replayOptions are the flags of policy replay.
type replayOptions struct {
	bundle, inputs string
	since          *moment
	output         *choice
}

func (p *program) policyReplayCommand() *cobra.Command {
	c := command("replay", "Asks a candidate policy what was asked before, and lists every answer that would be different.",
		`It reads the recorded inputs of decisions from the database of store.url, else SQLite in data_dir, or from a
file, and needs no running gateway. Every flip is listed, by user and tool. The exit code is 1 when there is
one, so that a change of policy can be held back until somebody has looked.

It cannot know what was not recorded: decisions without an input are not asked, and arguments that were
withheld from a record may make an answer uncertain, which the list says. policy_config, where a record has
none, is that of the configuration.`,
		"docs/policy.md#replaying-recorded-decisions", "sark policy replay --bundle ./policy --since 7d",
		"sark policy replay --bundle ./policy --inputs decisions.ndjson --output json")
	c.Args = noArguments
	o := replayOptions{since: &moment{now: p.now}}
	f := c.Flags()
	f.StringVar(&o.bundle, "bundle", "", "`PATH` of the candidate: a policy directory or bundle file")
	f.StringVar(&o.inputs, "inputs", "", "`FILE` with recorded decisions, one JSON object a line, instead of the database; - is standard input")
	addMoment(f, o.since, "since", "decisions from this RFC 3339 `TIME` on, or since 15m, 2h, 7d ago (default: all)")
	o.output = addOutput(f)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.policyReplay(c.Context(), o) }
	return c
}

func (p *program) policyReplay(ctx context.Context, o replayOptions) error {
	if o.bundle == "" {
		return misused("--bundle: name the candidate")
	}
	loaded, err := p.load()
	if err != nil {
		return err
	}
	source, err := p.policySource(&loaded.Config, o.bundle)
	if err != nil {
		return err
	}
	candidate, revision, err := source.trial(ctx)
	if err != nil {
		return err
	}
	var report *replay.Report
	err = p.recordedDecisions(ctx, o, func(recorded iter.Seq2[replay.Recorded, error]) (err error) {
		report, err = replay.Run(ctx, candidate, recorded, func(n int) { p.say("asked %d decisions", n) })
		return err
	})
	if err != nil {
		return err
	}
	return p.printReplay(report, revision, o.output.json())
}

// recordedDecisions hands recorded decisions to use, from the file or the database.
func (p *program) recordedDecisions(ctx context.Context, o replayOptions, use func(iter.Seq2[replay.Recorded, error]) error) error {
	switch o.inputs {
	case "":
		return p.withStore(ctx, false, func(db app.Database, _ *configs.Config) error {
			return use(recordsOf(db.DecisionInputs(ctx, o.since.Time)))
		})
	case "-":
		return use(replay.Lines(p.stdin, o.since.Time))
	}
	f, err := os.Open(o.inputs)
	if err != nil {
		return fmt.Errorf("--inputs: %w", err)
	}
	return errors.Join(use(replay.Lines(f, o.since.Time)), f.Close())
}

// recordsOf turns rows of the store into what a replay asks.
func recordsOf(rows iter.Seq2[store.DecisionInput, error]) iter.Seq2[replay.Recorded, error] {
	return func(yield func(replay.Recorded, error) bool) {
		for row, err := range rows {
			q := replay.Recorded{
				DecisionID: row.DecisionID.String(), Timestamp: row.Timestamp, PolicyRevision: row.PolicyRevision,
				Allow: row.Allow, Rule: row.Rule, Input: row.Input,
			}
			if !yield(q, err) {
				return
			}
		}
	}
}

// printReplay writes the flips and what they are worth. The exit code is that of the command.
func (p *program) printReplay(r *replay.Report, revision string, asJSON bool) error {
	var err error
	if asJSON {
		err = p.printJSON(struct {
			*replay.Report
			Candidate string `json:"candidate"`
		}{r, revision})
	} else {
		err = p.printFlips(r, revision)
	}
	switch {
	case err != nil:
		return err
	case r.Decisions == 0:
		p.say("sark: no input of a decision was recorded in this time, so nothing is known of the candidate")
		return exit{exitFailure}
	case len(r.Flips) > 0 || r.Unreadable > 0:
		return exit{exitFailure}
	}
	return nil
}

// named is the name of a rule, which an undefined decision has not.
func named(rule string) string {
	if rule == "" {
		return "none"
	}
	return rule
}

func (p *program) printFlips(r *replay.Report, revision string) error {
	t := &table{out: p.stdout}
	if len(r.Flips) > 0 {
		if err := t.write([]string{"USER", "TOOL", "SERVER", "TIME", "CHANGE", "RULES", "DECISION"}); err != nil {
			return err
		}
	}
	for _, f := range r.Flips {
		change, tool := f.From+" -> "+f.To, f.Tool
		if f.Uncertain {
			change += " (uncertain)"
		}
		if tool == "" {
			tool = f.Action
		}
		row := []string{f.User, tool, f.Server, f.Timestamp.UTC().Format(time.RFC3339), change, named(f.FromRule) + " -> " + named(f.ToRule), f.DecisionID}
		if err := t.write(row); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.stdout, "%d decisions asked, %d would be different; %d uncertain (the candidate reads arguments that were not recorded), %d unreadable; candidate %s\n",
		r.Decisions, len(r.Flips), r.Uncertain, r.Unreadable, revision)
	return err
}
