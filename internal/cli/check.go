package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/app"
)

func (p *program) checkCommand() *cobra.Command {
	c := command("check", "Tells whether a configuration and its policy are right, without serving.",
		`It reads the configuration and the files that it names, certificates too, compiles the policy bundle (one
under authz.opa is downloaded), asks the Redis that holds sessions and limits whether it may evict them, and
opens nothing else: "sark doctor" asks the rest. Every mistake in the configuration is reported at once, with
its key and where the value was set. Warnings are about what is valid and unlikely to be meant.`,
		"docs/configuration.md", "sark check --config sark.yaml", "sark check --preset high-traffic --print")
	c.Args = noArguments
	show := c.Flags().Bool("print", false, "print the effective configuration as YAML, without secrets, with the origin of each value")
	c.RunE = func(c *cobra.Command, _ []string) error { return p.check(c.Context(), *show) }
	return c
}

func (p *program) check(ctx context.Context, show bool) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	if show {
		if err := configs.Print(p.stdout, loaded); err != nil {
			return err
		}
	}
	if err := app.CheckFiles(&loaded.Config); err != nil {
		return err
	}
	warnings := slices.Concat(loaded.Warnings, app.HostWarnings(&loaded.Config), app.RedisWarnings(ctx, &loaded.Config, zap.NewNop()))
	for _, w := range warnings {
		p.say("warning: %s", oneLine(w))
	}
	engine, err := openPolicy(ctx, &loaded.Config)
	if err != nil {
		return err
	}
	defer engine.Close(context.WithoutCancel(ctx))
	verdict := "configuration is valid; policy revision " + engine.Revision()
	if show {
		p.say("%s", verdict)
		return nil
	}
	_, err = fmt.Fprintln(p.stdout, verdict)
	return err
}
