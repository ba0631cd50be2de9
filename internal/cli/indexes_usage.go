package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sark/store/indexes"
)

func (p *program) indexesUsageCommand() *cobra.Command {
	c := command("usage", "Lists the indexes with how often each was used, most used first.",
		`It opens store.url and shows, for every index of the schema, how often it was scanned, how many entries
were read from it and how many rows fetched through it, and its size; over all partitions or chunks of its
table. The database counts since the time that is told on standard error, each replica for itself. With
--output json each index is one line. SQLite does not count.`,
		"docs/operations.md#indexes-connections-and-slow-queries", "sark indexes usage --config sark.yaml", "sark indexes usage --config sark.yaml --output json")
	c.Args = noArguments
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.indexesUsage(c.Context(), output.json(), false) }
	return c
}

func (p *program) indexesUnusedCommand() *cobra.Command {
	c := command("unused", "Lists the indexes that were never used, largest first.",
		`It opens store.url. An index that is never used costs disk and makes every write slower. Indexes that keep
rows unique are not listed: they are needed though nobody reads them. Standard error tells for how long the
database has counted: after a day or so without a question that needs it, an index means little. Indexes that
serve built-in queries are marked; "sark indexes apply" would build them again.`,
		"docs/operations.md#indexes-connections-and-slow-queries", "sark indexes unused --config sark.yaml", "sark indexes unused --config sark.yaml --output json")
	c.Args = noArguments
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.indexesUsage(c.Context(), output.json(), true) }
	return c
}

func (p *program) indexesUsage(ctx context.Context, asJSON, unusedOnly bool) error {
	return withServer(ctx, p, indexes.OpenPostgres, indexes.ErrNotCounted.Error(), func(db *indexes.Postgres) error {
		list, err := db.Usage(ctx)
		if err != nil {
			return err
		}
		since, known, err := db.Counting(ctx)
		if err != nil {
			return err
		}
		if unusedOnly {
			list = indexes.Unused(list)
		}
		if err := p.printUsage(list, asJSON); err != nil {
			return err
		}
		p.say("%s", countingAdvice(p.now(), since, known, unusedOnly))
		return nil
	})
}

func (p *program) printUsage(list []indexes.Usage, asJSON bool) error {
	rows := [][]string{{"TABLE", "INDEX", "SCANS", "TUPLES READ", "TUPLES FETCHED", "SIZE", "SERVES"}}
	for _, u := range list {
		if asJSON {
			if err := p.printJSON(u); err != nil {
				return err
			}
			continue
		}
		serves := u.Serves
		if u.Constraint {
			serves = "keeps rows unique"
		}
		rows = append(rows, []string{
			u.Table, u.Index, fmt.Sprint(u.Scans), fmt.Sprint(u.TuplesRead), fmt.Sprint(u.TuplesFetched), sizeText(u.Bytes), serves,
		})
	}
	if asJSON {
		return nil
	}
	return (&table{out: p.stdout}).write(rows...)
}

// enough is how long a database should have counted before an index without scans means anything: a week has every job that
// runs weekly.
const enough = 7 * 24 * time.Hour

// countingAdvice says since when the database counts, and what that is worth.
func countingAdvice(now, since time.Time, known, unusedOnly bool) string {
	if !known {
		return "counted since the database was made or last crashed; SELECT pg_stat_reset() begins anew and makes that known"
	}
	age := now.Sub(since)
	told := fmt.Sprintf("counted since %s (%s)", localTime(since), age.Round(time.Minute))
	switch {
	case !unusedOnly:
		return told
	case age < enough:
		return told + ": too short to drop an index; look again after a week with every kind of use, on replicas too"
	}
	return told + ": before you drop an index, look on replicas too, which count for themselves"
}
