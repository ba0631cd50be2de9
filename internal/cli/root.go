package cli

import (
	"github.com/spf13/cobra"
)

// root is the tree of all commands.
func (p *program) root() *cobra.Command {
	root := group("sark", "Governs what AI agents may do with MCP servers.",
		`SARK stands in front of MCP servers. It knows who sends each request, asks a policy, forwards what is
allowed, filters what comes back, and records every exchange in an audit trail.

The first steps:
  sark apikey create --role admin     # make a key for yourself
  sark check --config sark.yaml       # see whether the configuration is right
  sark doctor --config sark.yaml      # see whether what it names answers
  sark serve --config sark.yaml       # run the gateway`,
		"sark serve --config /etc/sark/sark.yaml", "sark audit tail")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { _ = writeHelp(p.stdout, c) }) // nobody reads an error about help
	root.SetHelpCommand(helpCommand())
	p.shared.register(root.PersistentFlags())
	root.AddCommand(
		p.serveCommand(), p.checkCommand(), p.doctorCommand(), p.migrateCommand(), p.indexesCommand(), p.dbCommand(), p.auditCommand(), p.policyCommand(),
		p.apikeyCommand(), p.cacheCommand(), p.drainCommand(), p.versionCommand(),
	)
	return root
}

// command describes a command: its purpose in one sentence, what it opens and how it behaves, two examples, and where to
// read more.
func command(use, purpose, about, more string, examples ...string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: purpose, Long: purpose + "\n\n" + about, Example: indent(examples),
		Annotations: map[string]string{moreKey: more}, DisableFlagsInUseLine: true,
	}
}

// group describes a command that only holds others. Alone it shows its help.
func group(use, purpose, about string, examples ...string) *cobra.Command {
	c := command(use, purpose, about, "docs/cli.md", examples...)
	c.Args = knownCommand
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}
