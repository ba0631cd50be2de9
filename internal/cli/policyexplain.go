package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sark/authz/explain"
)

// explainOptions are the flags of policy explain.
type explainOptions struct {
	gateway gatewayFlags
	bundle  string
	output  *choice
}

func (p *program) policyExplainCommand() *cobra.Command {
	c := command("explain DECISION_ID", "Says why a decision is as it is.",
		`It talks to the gateway on this host through the unix socket in data_dir (api.socket), or with --api to any
gateway; a key needs audit:read. The gateway asks the policy that is in force there, wherever it came from, the
recorded question of the decision once more, with every rule tried: which rules held, where each of the others
stopped, and which claim or argument was missing there. For a list of tools it names those that the caller does
not see. Clients read the id of a decision in the header X-Sark-Decision-Id.

When another policy has decided, it says so; --bundle asks a policy on this host instead, such as the one that
decided. The questions of denials are recorded by default (authz.inputs.denials), those of other decisions where
authz.inputs.sample says so; what was withheld from the record is missing here too.`,
		"docs/policy.md#explaining-a-decision", "sark policy explain 019b0a52-8e3c-7c1f-9d5a-2f6f0c1d2e3f",
		"sark policy explain 019b0a52-8e3c-7c1f-9d5a-2f6f0c1d2e3f --api https://sark.example --token-file key.txt",
		"sark policy explain 019b0a52-8e3c-7c1f-9d5a-2f6f0c1d2e3f --bundle ./policy-of-last-week --output json")
	c.Args = oneArgument("DECISION_ID")
	var o explainOptions
	o.gateway.register(c.Flags())
	c.Flags().StringVar(&o.bundle, "bundle", "", "`PATH` of a policy directory or bundle file to ask, instead of the gateway's policy")
	o.output = addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error { return p.policyExplain(c.Context(), args[0], o) }
	return c
}

func (p *program) policyExplain(ctx context.Context, id string, o explainOptions) error {
	decision, err := uuid.Parse(id)
	if err != nil {
		return misused("DECISION_ID: %q is no UUID", id)
	}
	c, err := p.client(o.gateway)
	if err != nil {
		return err
	}
	defer c.close()
	found := &explain.Report{}
	if err := c.call(ctx, http.MethodGet, "/api/v1/policy/explain/"+decision.String(), nil, found); err != nil {
		return unexplained(c, err)
	}
	if o.bundle != "" {
		if found, err = p.explainBy(ctx, o.bundle, found); err != nil {
			return err
		}
	}
	if o.output.json() {
		return p.printJSON(found)
	}
	return p.printExplanation(found)
}

// unexplained says why the gateway does not explain a decision.
func unexplained(c *client, err error) error {
	var r *refusal
	if errors.As(err, &r) && r.status == http.StatusNotFound && r.detail != "" {
		return errors.New(r.detail)
	}
	return noAnswer(c, err, "the decision", "that may audit:read")
}

// explainBy asks a policy on this host what the gateway asked its own.
func (p *program) explainBy(ctx context.Context, bundle string, r *explain.Report) (*explain.Report, error) {
	loaded, err := p.load()
	if err != nil {
		return nil, err
	}
	source, err := p.policySource(&loaded.Config, bundle)
	if err != nil {
		return nil, err
	}
	policy, revision, err := source.trial(ctx)
	if err != nil {
		return nil, err
	}
	return explain.Decision(ctx, policy, revision, &explain.Recorded{
		DecisionID: r.DecisionID, Timestamp: r.Timestamp, Allow: r.Recorded.Decision == "allow", Rule: r.Recorded.Rule,
		Revision: r.Recorded.Revision, Input: r.Input,
	}, r.Tools)
}

// printExplanation writes an explanation for people.
func (p *program) printExplanation(e *explain.Report) error {
	t := &table{out: p.stdout}
	rows := [][]string{
		{"decision", e.DecisionID + " at " + e.Timestamp.UTC().Format(time.RFC3339)},
		{"recorded", fmt.Sprintf("%s by %s, policy %s", e.Recorded.Decision, e.Recorded.Rule, e.Recorded.Revision)},
		{"now", fmt.Sprintf("%s by %s: %s", e.Now.Decision, e.Now.Rule, e.Now.Reason)},
	}
	if !e.SamePolicy {
		rows = append(rows, []string{"policy", "another one has decided; what follows is of " + e.Now.Revision})
	}
	if e.Arguments == "digest" {
		rows = append(rows, []string{"withheld", withheld(e)})
	}
	for _, r := range e.Held {
		rows = append(rows, []string{"held", fmt.Sprintf("%s at %s:%d", r.Name, r.File, r.Line)})
	}
	others := 0
	for i := range e.Failed {
		if strings.Contains(e.Failed[i].Stopped, "input.action") {
			others++
			continue
		}
		rows = append(rows, []string{"not", failure(&e.Failed[i])})
	}
	if others > 0 {
		rows = append(rows, []string{"not", fmt.Sprintf("%d rules about other actions (--output json lists them)", others)})
	}
	for _, h := range e.Hidden {
		rows = append(rows, []string{"hidden", fmt.Sprintf("%s by %s: %s", h.Name, h.Rule, h.Reason)})
	}
	return t.write(rows...)
}

// withheld says what it means that there are no arguments.
func withheld(e *explain.Report) string {
	text := "the arguments were not recorded: rules about them say nothing here"
	if e.SamePolicy && e.Now.Decision != e.Recorded.Decision {
		text += ", and one of them has decided; authz.inputs.arguments: true records them for the next time, redacted as in the trail"
	}
	return text
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
