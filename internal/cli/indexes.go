package cli

import (
	"github.com/spf13/cobra"
)

func (p *program) indexesCommand() *cobra.Command {
	c := group("indexes", "Builds the indexes of the database, and tells which are used.",
		`"sark migrate" makes all indexes with their tables. apply is for a database in which some were dropped, or
an interrupted build has left one that is not valid; usage and unused tell what each index is worth.`,
		"sark indexes apply --dry-run --config sark.yaml", "sark indexes usage --config sark.yaml")
	c.AddCommand(p.indexesApplyCommand(), p.indexesUsageCommand(), p.indexesUnusedCommand())
	return c
}
