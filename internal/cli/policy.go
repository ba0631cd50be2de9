package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sark/authz"
	"sark/configs"
	"sark/internal/app"
)

const (
	// policyWait is how long a command waits for bundles that have to be downloaded.
	policyWait = 15 * time.Second
	// policyPoll is how often it looks whether they are there.
	policyPoll = 50 * time.Millisecond
	// maxInput bounds an input document, in bytes.
	maxInput = 16 << 20
)

func (p *program) policyCommand() *cobra.Command {
	c := group("policy", "Tries, tests and explains policies.",
		"Policies are written in Rego and decide every request. The default ones are built into the binary.",
		"sark policy init ./policy", "sark policy test --bundle ./policy --coverage")
	c.AddCommand(p.policyInitCommand(), p.policyEvalCommand(), p.policyTestCommand(), p.policyLintCommand(), p.policyExplainCommand(), p.policyReplayCommand())
	return c
}

// evalOptions are the flags of policy eval.
type evalOptions struct {
	input, bundle, event string
	failOnDeny           bool
}

func (p *program) policyEvalCommand() *cobra.Command {
	var o evalOptions
	c := command("eval", "Asks the policy about one input document and prints the decision as JSON.",
		`It opens the policy bundle of the configuration (the default policies when there is none) and the input, and
no gateway: nothing is recorded. The input is what policies see as "input"; fields may be missing, and
policy_config is that of the configuration unless the input has its own. With --event the input is what was
recorded of the decision of an audit event, in the database of store.url, else SQLite in data_dir. A deny
without a grant is still an answer, so the exit code is 0; with --fail-on-deny it is 3.`,
		"docs/configuration.md#authz",
		`echo '{"action":"tool:invoke","principal":{"roles":["analyst"]},"tool":{"sensitivity_level":"high"}}' | sark policy eval`,
		"sark policy eval --bundle ./policy --input request.json --fail-on-deny")
	c.Args = noArguments
	c.Flags().StringVar(&o.input, "input", "-", "`FILE` with the input document; - is standard input")
	c.Flags().StringVar(&o.event, "event", "", "`ID` of an audit event whose recorded input is taken")
	c.Flags().StringVar(&o.bundle, "bundle", "", "`PATH` of a policy directory or bundle file, instead of the configuration's")
	c.Flags().BoolVar(&o.failOnDeny, "fail-on-deny", false, "exit with 3 when the decision is deny")
	c.RunE = func(c *cobra.Command, _ []string) error { return p.policyEval(c.Context(), o) }
	return c
}

func (p *program) policyEval(ctx context.Context, o evalOptions) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	if o.bundle != "" {
		loaded.Config.Authz.Bundle, loaded.Config.Authz.OPA = o.bundle, nil
	}
	input, err := p.evalInput(ctx, o)
	if err != nil {
		return err
	}
	engine, err := openPolicy(ctx, &loaded.Config)
	if err != nil {
		return err
	}
	defer engine.Close(context.WithoutCancel(ctx))
	d, err := engine.EvalJSON(ctx, input)
	if err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	if err := p.printJSON(verdictOf(&d)); err != nil {
		return err
	}
	if o.failOnDeny && !d.Allow {
		return exit{exitDenied}
	}
	return nil
}

// evalInput is the input document that the flags name.
func (p *program) evalInput(ctx context.Context, o evalOptions) (input []byte, err error) {
	if o.event == "" {
		return p.readInput(o.input)
	}
	if o.input != "-" {
		return nil, misused("--input and --event exclude each other")
	}
	id, err := uuid.Parse(o.event)
	if err != nil {
		return nil, misused("--event: %q is no UUID", o.event)
	}
	err = p.withStore(ctx, false, func(db app.Database, _ *configs.Config) error {
		decision, err := decisionOf(ctx, db, id)
		if err != nil {
			return err
		}
		recorded, err := recordedInput(ctx, db, decision)
		input = recorded.Input
		return err
	})
	return input, err
}

// readInput reads the input document.
func (p *program) readInput(name string) ([]byte, error) {
	from := p.stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the user's own file
		if err != nil {
			return nil, fmt.Errorf("read the input: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read from
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("the input is empty: give a JSON object with --input FILE or on standard input, or --event ID")
	}
	if len(text) > maxInput {
		return nil, fmt.Errorf("read the input: longer than %d bytes", maxInput)
	}
	return text, nil
}

// openPolicy brings the configured policy into force and waits until it is there.
func openPolicy(ctx context.Context, c *configs.Config) (*authz.Engine, error) {
	zone, err := time.LoadLocation(c.Authz.Timezone)
	if err != nil {
		return nil, fmt.Errorf("authz.timezone: %w", err)
	}
	o := authz.Options{
		Bundle: c.Authz.Bundle, Timeout: c.Authz.Timeout, Location: zone, PolicyConfig: c.Authz.PolicyConfig, WatchInterval: -1,
	}
	if len(c.Authz.OPA) > 0 { // an empty mapping, as check --print writes it, names no bundles
		o.OPA = c.Authz.OPA
	}
	engine, err := authz.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open the policy: %s: %w", app.PolicyKey(c), err)
	}
	if err := awaitPolicy(ctx, engine); err != nil {
		engine.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("open the policy: %s: %w", app.PolicyKey(c), err)
	}
	return engine, nil
}

// awaitPolicy returns when a policy is in force; a local one is at once.
func awaitPolicy(ctx context.Context, engine *authz.Engine) error {
	ctx, cancel := context.WithTimeout(ctx, policyWait)
	defer cancel()
	poll := time.NewTicker(policyPoll)
	defer poll.Stop()
	for {
		err := engine.Ready()
		if err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			last := engine.LastError()
			if last == nil || errors.Is(err, last) || last.Error() == err.Error() {
				return fmt.Errorf("no policy came within %s: %w", policyWait, err)
			}
			return fmt.Errorf("no policy came within %s: %w", policyWait, errors.Join(err, last))
		}
	}
}
