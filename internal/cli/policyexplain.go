package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sark/authz"
	"sark/authz/explain"
	"sark/configs"
	"sark/internal/app"
	"sark/store"
)

// explainOptions are the flags of policy explain.
type explainOptions struct {
	bundle string
	output *choice
}

// explanation is what policy explain prints.
type explanation struct {
	DecisionID string    `json:"decision_id"`
	Timestamp  time.Time `json:"timestamp"`
	// Recorded is what the gateway decided, Now what the policy that is at hand says.
	Recorded recordedVerdict `json:"recorded"`
	Now      verdict         `json:"now"`
	// Held and Failed are the rules of the policy at hand.
	Held   []explain.Rule `json:"held"`
	Failed []explain.Rule `json:"failed"`
	// Hidden are the tools that the answer to tools/list leaves out, of those that configuration and registry describe.
	Hidden []explain.HiddenTool `json:"hidden_tools,omitempty"`
	// Arguments is what of the arguments the record holds: none, digest or all; empty when it does not say.
	Arguments string `json:"recorded_arguments,omitempty"`
}

// recordedVerdict is a decision as it was recorded.
type recordedVerdict struct {
	Decision string `json:"decision"`
	Rule     string `json:"rule"`
	Revision string `json:"revision"`
}

func (p *program) policyExplainCommand() *cobra.Command {
	c := command("explain DECISION_ID", "Says why a decision is as it is.",
		`It takes the recorded input of the decision from the database in data_dir, needs no running gateway, and
evaluates the policy of the configuration on it once more, with every rule tried: which rules held, where each
of the others stopped, and which claim or argument was missing there. For a list of tools it names those that
the caller does not see. Clients read the id of a decision in the header X-Sark-Decision-Id.

When the policy has changed since, it says so; --bundle takes the one that decided. What was withheld from the
record is missing here too.`,
		"docs/policy.md#explaining-a-decision", "sark policy explain 019b0a52-8e3c-7c1f-9d5a-2f6f0c1d2e3f",
		"sark policy explain 019b0a52-8e3c-7c1f-9d5a-2f6f0c1d2e3f --bundle ./policy-of-last-week --output json")
	c.Args = oneArgument("DECISION_ID")
	var o explainOptions
	c.Flags().StringVar(&o.bundle, "bundle", "", "`PATH` of a policy directory or bundle file, instead of the configuration's")
	o.output = addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error { return p.policyExplain(c.Context(), args[0], o) }
	return c
}

func (p *program) policyExplain(ctx context.Context, id string, o explainOptions) error {
	decision, err := uuid.Parse(id)
	if err != nil {
		return misused("DECISION_ID: %q is no UUID", id)
	}
	var recorded store.DecisionInput
	var tools []authz.Tool
	var source policySource
	err = p.withStore(ctx, false, func(db app.Database, c *configs.Config) error {
		if source, err = p.policySource(c, o.bundle); err != nil {
			return err
		}
		if recorded, err = recordedInput(ctx, db, decision); err != nil {
			return err
		}
		tools, err = listedTools(ctx, db, c, recorded.Input)
		return err
	})
	if err != nil {
		return err
	}
	found, err := explained(ctx, &source, &recorded, tools)
	if err != nil {
		return err
	}
	if o.output.json() {
		return p.printJSON(found)
	}
	return p.printExplanation(found)
}

// explained evaluates the recorded question.
func explained(ctx context.Context, source *policySource, recorded *store.DecisionInput, tools []authz.Tool) (*explanation, error) {
	trial, revision, err := source.trial(ctx)
	if err != nil {
		return nil, err
	}
	e, err := explain.Document(ctx, trial, recorded.Input)
	if err != nil {
		return nil, err
	}
	now := verdictOf(&e.Decision)
	now.Revision = revision
	found := &explanation{
		DecisionID: recorded.DecisionID.String(), Timestamp: recorded.Timestamp, Now: now, Held: e.Held, Failed: e.Failed,
		Recorded: recordedVerdict{word(recorded.Allow), recorded.Rule, recorded.PolicyRevision},
	}
	found.Arguments = recordedArguments(recorded.Input)
	if tools != nil {
		found.Hidden, err = explain.Hidden(ctx, trial, recorded.Input, tools)
	}
	return found, err
}

// recordedArguments reads what a record says of the arguments.
func recordedArguments(input []byte) string {
	var about struct {
		Recorded struct {
			Arguments string `json:"arguments"`
		} `json:"recorded"`
	}
	_ = json.Unmarshal(input, &about) // the policy has read it as an object; a note of another form says nothing
	return about.Recorded.Arguments
}

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// listedTools returns what is known of the tools of a list; nil when the question is about no list.
func listedTools(ctx context.Context, db app.Database, c *configs.Config, input []byte) ([]authz.Tool, error) {
	var about struct {
		Action string `json:"action"`
		Server struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"server"`
	}
	if err := json.Unmarshal(input, &about); err != nil || about.Action != "tool:list" {
		return nil, nil //nolint:nilerr // whoever explains the input says what is wrong with it
	}
	tools := []authz.Tool{}
	for _, s := range c.Proxy.Servers {
		if s.Name != about.Server.Name {
			continue
		}
		for _, t := range s.Tools {
			tools = append(tools, describedTool(t.Name, t.SensitivityLevel, s.SensitivityLevel, t.ReadOnly))
		}
		return tools, nil
	}
	if _, err := uuid.Parse(about.Server.ID); err != nil {
		return tools, nil //nolint:nilerr // a server of a configuration that is gone
	}
	s, err := db.Server(ctx, about.Server.ID)
	if errors.Is(err, store.ErrNotFound) {
		return tools, nil
	}
	for _, t := range s.Tools {
		tools = append(tools, describedTool(t.Name, t.SensitivityLevel, s.SensitivityLevel, false))
	}
	return tools, err
}

func describedTool(name, level, serverLevel string, readOnly bool) authz.Tool {
	if level == "" {
		level = serverLevel
	}
	return authz.Tool{Name: name, SensitivityLevel: level, Known: true, ReadOnly: readOnly}
}

// printExplanation writes an explanation for people.
func (p *program) printExplanation(e *explanation) error {
	t := &table{out: p.stdout}
	rows := [][]string{
		{"decision", e.DecisionID + " at " + e.Timestamp.UTC().Format(time.RFC3339)},
		{"recorded", fmt.Sprintf("%s by %s, policy %s", e.Recorded.Decision, e.Recorded.Rule, e.Recorded.Revision)},
		{"now", fmt.Sprintf("%s by %s: %s", e.Now.Decision, e.Now.Rule, e.Now.Reason)},
	}
	if e.Recorded.Revision != e.Now.Revision {
		rows = append(rows, []string{"policy", "has changed since; what follows is of " + e.Now.Revision})
	}
	if e.Arguments == "digest" {
		rows = append(rows, []string{"withheld", "the arguments were not recorded: rules about them say nothing here"})
	}
	for _, r := range e.Held {
		rows = append(rows, []string{"held", fmt.Sprintf("%s at %s:%d", r.Name, r.File, r.Line)})
	}
	for i := range e.Failed {
		rows = append(rows, []string{"not", failure(&e.Failed[i])})
	}
	for _, h := range e.Hidden {
		rows = append(rows, []string{"hidden", fmt.Sprintf("%s by %s: %s", h.Name, h.Rule, h.Reason)})
	}
	return t.write(rows...)
}

// failure says where a rule stopped.
func failure(r *explain.Rule) string {
	text := fmt.Sprintf("%s at %s:%d", r.Name, r.File, r.Line)
	if r.Stopped != "" {
		text += fmt.Sprintf(" stopped at line %d: %s", r.StoppedLine, r.Stopped)
	}
	for i, path := range r.Missing {
		if i == 0 {
			text += "; missing: " + path
			continue
		}
		text += ", " + path
	}
	return text
}
