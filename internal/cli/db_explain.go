package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sark/store/inspect"
	"sark/store/migrations"
)

func (p *program) dbExplainCommand() *cobra.Command {
	c := command("explain [QUERY]", "Shows how the database executes a built-in query.",
		`It opens store.url, or the SQLite database in data_dir, and shows EXPLAIN (ANALYZE, BUFFERS): the query is
executed, for at most 60s, in a read-only transaction that is rolled back. SQLite shows the plan and executes
nothing. "Seq Scan" or "SCAN" without an index on a large table means that an index is missing: see
"sark indexes apply". Without QUERY it lists the queries.

The query asks for --value, or without one for what the newest row has.`,
		"docs/operations.md#indexes-connections-and-slow-queries", "sark db explain --config sark.yaml", "sark db explain server-trail --value github --config sark.yaml")
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return oneArgument("QUERY")(c, args)
	}
	value := c.Flags().String("value", "", "`VALUE` that the query asks for, such as the id of a user")
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return p.listQuestions(output.json())
		}
		return p.dbExplain(c.Context(), args[0], *value, output.json())
	}
	return c
}

func (p *program) listQuestions(asJSON bool) error {
	rows := [][]string{{"QUERY", "VALUE", "WHAT IT LISTS"}}
	for _, q := range inspect.Questions() {
		if asJSON {
			if err := p.printJSON(map[string]string{"query": q.Name, "takes": q.Takes, "about": q.About}); err != nil {
				return err
			}
		}
		rows = append(rows, []string{q.Name, q.Takes, q.About})
	}
	if asJSON {
		return nil
	}
	return (&table{out: p.stdout}).write(rows...)
}

func (p *program) dbExplain(ctx context.Context, name, value string, asJSON bool) error {
	q, err := question(name)
	if err != nil {
		return err
	}
	if value != "" && q.Takes == "" {
		return misused("--value: query %s takes none", name)
	}
	s, err := p.databaseSchema()
	if err != nil {
		return err
	}
	if s.dialect == migrations.SQLite {
		plan, err := inspect.ExplainSQLite(ctx, s.address, q, value)
		if err != nil {
			return s.failure(err)
		}
		return p.printPlanOf(plan, asJSON)
	}
	return withServer(ctx, p, inspect.Open, "", func(db *inspect.Server) error {
		plan, err := db.Explain(ctx, q, value, asJSON)
		if err != nil {
			return err
		}
		return p.printPlanOf(plan, asJSON)
	})
}

func question(name string) (inspect.Question, error) {
	all := inspect.Questions()
	at := slices.IndexFunc(all, func(q inspect.Question) bool { return q.Name == name })
	if at >= 0 {
		return all[at], nil
	}
	var names []string
	for _, q := range all {
		names = append(names, q.Name)
	}
	return inspect.Question{}, misused("unknown query %q%s (sark db explain lists the queries)", name, suggestion(name, "", names))
}

func (p *program) printPlanOf(plan inspect.Plan, asJSON bool) error {
	if asJSON {
		return p.printJSON(plan)
	}
	asked := plan.Query
	if plan.Value != "" {
		asked += " " + cell(plan.Value, 0)
	}
	p.say("%s: %s", asked, shortened(oneStatement(plan.SQL)))
	for _, line := range plan.Lines {
		if _, err := fmt.Fprintln(p.stdout, cell(line, 0)); err != nil {
			return err
		}
	}
	return nil
}

// oneStatement writes a statement on one line.
func oneStatement(sql string) string { return strings.Join(strings.Fields(sql), " ") }

// shortened leaves out the columns of a long list.
func shortened(sql string) string {
	columns, rest, found := strings.Cut(sql, " FROM ")
	if !found || len(columns) < maxCell {
		return sql
	}
	return "SELECT … FROM " + rest
}
