package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sark/configs"
	"sark/internal/app"
	"sark/store"
	"sark/store/spool"
)

// queryOptions are the flags of audit query.
type queryOptions struct {
	events *eventFlags
	limit  int
	cursor string
	output *choice
}

func (p *program) auditQueryCommand() *cobra.Command {
	c := command("query", "Searches the audit trail, newest event first.",
		`It opens the database of store.url, else SQLite in data_dir, and needs no running gateway; events of all
gateways that share it are found. Filters are joined by AND. When there is more than --limit, the cursor for
the next events is told on standard error, and so are events that wait in the spool of data_dir for the
database. With --output json each event is one line with all of its columns, times in UTC, and siem_forwarded:
whether every receiver of audit.siem has it, null without receivers. --id looks one event up, however long the
trail is; none of that id is a failure. To watch the trail, see sark audit tail.`,
		"docs/audit-schema.md", "sark audit query --decision deny --since 24h", "sark audit query --user ana --tool refund_order --output json",
		"sark audit query --severity high,critical --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z")
	c.Args = noArguments
	f := c.Flags()
	o := queryOptions{events: p.addEventFlags(f)}
	f.IntVar(&o.limit, "limit", store.DefaultLimit, "print at most `N` events")
	f.StringVar(&o.cursor, "cursor", "", "`CURSOR` that an earlier query told")
	o.output = addOutput(f)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.auditQuery(c.Context(), o) }
	return c
}

func (p *program) auditQuery(ctx context.Context, o queryOptions) error {
	f, err := o.events.chosen()
	if err != nil {
		return err
	}
	f.Limit, f.Cursor = o.limit, o.cursor
	if f.Limit < 1 {
		return misused("--limit: should be 1 or more")
	}
	return p.withStore(ctx, false, func(db app.Database, c *configs.Config) error {
		waiting := inSpool(ctx, db, c) // before the question: what is on its way now may be missing from the answer
		printer := newEventPrinter(p.stdout, o.output.json())
		next, err := printPages(ctx, db, f, printer)
		if errors.Is(err, store.ErrBadCursor) {
			return misused("--cursor: not a cursor of this list")
		}
		if err == nil && next != "" {
			p.say("there is more: add --cursor %s", next)
		}
		if waiting > 0 {
			p.say("note: the trail is behind: %s in the spool %s not in the database yet", plural(waiting, "event", "events"), isOrAre(waiting))
		}
		if err == nil && f.ID != uuid.Nil && printer.printed == 0 {
			return fmt.Errorf("no event has the id %s", f.ID)
		}
		return err
	})
}

// inSpool is how many events of the gateway of this data_dir wait in its spool, 0 when the spool cannot be read.
func inSpool(ctx context.Context, db app.Database, c *configs.Config) int64 {
	writer, last, err := spool.Newest(c.SpoolDir())
	if err != nil {
		return 0
	}
	stored, err := db.Offset(ctx, writer)
	if err != nil {
		return 0
	}
	return max(0, last-stored)
}

func isOrAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// printPages prints as many events as the filter's limit says and returns the cursor of the next, empty when there is none.
func printPages(ctx context.Context, db app.Database, f store.EventFilter, to *eventPrinter) (next string, err error) {
	for left := f.Limit; left > 0; {
		f.Limit = min(left, store.MaxLimit)
		page, err := db.Events(ctx, f)
		if err != nil {
			return "", err
		}
		forwarded, err := db.Forwarded(ctx, store.Writers(page.Items))
		if err != nil {
			return "", err
		}
		events, err := eventsOf(forwarded.Mark(page.Items))
		if err != nil {
			return "", err
		}
		if err := to.print(events); err != nil {
			return "", err
		}
		left -= len(page.Items)
		if f.Cursor = page.NextCursor; !page.HasMore {
			return "", nil
		}
	}
	return f.Cursor, nil
}

// eventsOf brings events into the form in which the API gives them.
func eventsOf(items []store.MarkedEvent) ([]event, error) {
	events := make([]event, len(items))
	for i := range items {
		text, err := items[i].MarshalJSON()
		if err == nil {
			err = json.Unmarshal(text, &events[i])
		}
		if err != nil {
			return nil, fmt.Errorf("read event %s: %w", items[i].ID, err)
		}
	}
	return events, nil
}
