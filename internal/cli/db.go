package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sark/store/inspect"
)

// Defaults of the flags.
const (
	defaultSlow   = 10              // statements
	defaultLongTx = 5 * time.Minute // age of a transaction
)

func (p *program) dbCommand() *cobra.Command {
	c := group("db", "Looks into the database: connections, slow statements, open transactions, plans.",
		`These commands open store.url, ask the server's own statistics and change nothing. Other roles' statements
are shown to roles with pg_read_all_stats only. SQLite has no server: only explain works there.`,
		"sark db connections --config sark.yaml", "sark db explain server-trail --config sark.yaml")
	c.AddCommand(p.dbConnectionsCommand(), p.dbSlowCommand(), p.dbLongTxCommand(), p.dbExplainCommand())
	return c
}

func (p *program) dbConnectionsCommand() *cobra.Command {
	c := command("connections", "Counts the connections to the database by application and state.",
		`It opens store.url. A gateway's connections call themselves "sark api" and "sark audit"; they should be
idle most of the time, and never idle in a transaction for long. Standard error tells how many connections the
server allows and how many are open, to all databases together.`,
		"docs/operations.md#indexes-connections-and-slow-queries", "sark db connections --config sark.yaml", "sark db connections --config sark.yaml --output json")
	c.Args = noArguments
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.dbConnections(c.Context(), output.json()) }
	return c
}

func (p *program) dbConnections(ctx context.Context, asJSON bool) error {
	return withServer(ctx, p, inspect.Open, "it has no server, and no connections to count", func(db *inspect.Server) error {
		list, open, most, err := db.Connections(ctx)
		if err != nil {
			return err
		}
		rows := [][]string{{"TOTAL", "ACTIVE", "IDLE", "IDLE IN TRANSACTION", "OTHER", "APPLICATION"}}
		for _, c := range list {
			if asJSON {
				if err := p.printJSON(c); err != nil {
					return err
				}
			}
			rows = append(rows, []string{
				fmt.Sprint(c.Total), fmt.Sprint(c.Active), fmt.Sprint(c.Idle), fmt.Sprint(c.IdleInTransaction), fmt.Sprint(c.Other), c.Application,
			})
		}
		p.say("%d of %d connections of the server are open", open, most)
		if asJSON {
			return nil
		}
		return (&table{out: p.stdout}).write(rows...)
	})
}

func (p *program) dbSlowCommand() *cobra.Command {
	c := command("slow", "Lists the statements that are slowest in the mean.",
		`It opens store.url and reads pg_stat_statements, with times in milliseconds. Where the server does not
collect them it says what to set. What the gateway finds slow itself is in its log, from store.slow_query on,
with any database.`,
		"docs/operations.md#indexes-connections-and-slow-queries", "sark db slow --config sark.yaml", "sark db slow --limit 3 --output json --config sark.yaml")
	c.Args = noArguments
	limit := c.Flags().Int("limit", defaultSlow, "list at most `N` statements")
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.dbSlow(c.Context(), *limit, output.json()) }
	return c
}

func (p *program) dbSlow(ctx context.Context, limit int, asJSON bool) error {
	if limit < 1 {
		return misused("--limit: should be 1 or more")
	}
	const action = "it collects no times; the gateway's log has what is slower than store.slow_query"
	return withServer(ctx, p, inspect.Open, action, func(db *inspect.Server) error {
		list, err := db.Slow(ctx, limit)
		if err != nil {
			return err
		}
		rows := [][]string{{"CALLS", "MEAN MS", "MAX MS", "STDDEV MS", "QUERY"}}
		for _, s := range list {
			if asJSON {
				if err := p.printJSON(s); err != nil {
					return err
				}
			}
			rows = append(rows, []string{fmt.Sprint(s.Calls), millis(s.Mean), millis(s.Max), millis(s.StdDev), oneStatement(s.Query)})
		}
		if asJSON {
			return nil
		}
		return (&table{out: p.stdout}).write(rows...)
	})
}

func millis(ms float64) string { return fmt.Sprintf("%.3f", ms) }

func (p *program) dbLongTxCommand() *cobra.Command {
	c := command("long-tx", "Lists the transactions that have been open for long.",
		`It opens store.url and lists, longest first, the transactions of the database that are older than --over.
An old one holds locks and keeps the server from cleaning up behind deletions. To end one:
SELECT pg_terminate_backend(PID).`,
		"docs/operations.md#indexes-connections-and-slow-queries", "sark db long-tx --config sark.yaml", "sark db long-tx --over 30s --config sark.yaml")
	c.Args = noArguments
	over := c.Flags().Duration("over", defaultLongTx, "list transactions older than this `DURATION`, such as 30s")
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.dbLongTx(c.Context(), *over, output.json()) }
	return c
}

func (p *program) dbLongTx(ctx context.Context, over time.Duration, asJSON bool) error {
	if over < 0 {
		return misused("--over: should not be negative")
	}
	return withServer(ctx, p, inspect.Open, "it has no server whose transactions could be listed", func(db *inspect.Server) error {
		list, err := db.LongTransactions(ctx, over)
		if err != nil {
			return err
		}
		rows := [][]string{{"PID", "DURATION", "STATE", "USER", "APPLICATION", "WAITING FOR", "QUERY"}}
		for _, t := range list {
			if asJSON {
				if err := p.printJSON(t); err != nil {
					return err
				}
			}
			rows = append(rows, []string{
				fmt.Sprint(t.PID), seconds(t.Duration), t.State, t.User, t.Application, t.Waiting, oneStatement(t.Query),
			})
		}
		if asJSON {
			return nil
		}
		if len(list) == 0 {
			p.say("no transaction has been open for longer than %v", over)
			return nil
		}
		return (&table{out: p.stdout}).write(rows...)
	})
}
