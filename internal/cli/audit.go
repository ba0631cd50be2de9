package cli

import (
	"github.com/spf13/cobra"

	"sark/internal/audit"
)

func (p *program) auditCommand() *cobra.Command {
	c := group("audit", "Reads the audit trail.",
		`Every request leaves an event: who asked for what, how the policy decided and why, and how it ended.
query searches the database; tail watches a running gateway; verify proves that nobody has changed the trail;
export writes it to signed files.`,
		"sark audit query --decision deny --since 1h", "sark audit tail")
	c.AddCommand(p.auditQueryCommand(), p.auditTailCommand(), p.auditVerifyCommand(), p.auditExportCommand())
	return c
}

// outcomes are the words of --outcome.
func outcomes() []string {
	return []string{
		string(audit.OutcomeAllowed), string(audit.OutcomeDenied), string(audit.OutcomeError), string(audit.OutcomeClientGone),
		string(audit.OutcomeUpstreamFailed), string(audit.OutcomeUnknown),
	}
}
