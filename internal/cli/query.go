package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sark/configs"
	"sark/internal/app"
	"sark/internal/audit"
	"sark/store"
)

// queryOptions are the flags of audit query.
type queryOptions struct {
	filter            store.EventFilter
	decision, outcome *choice
	since, until      *moment
	output            *choice
}

func (p *program) auditQueryCommand() *cobra.Command {
	c := command("query", "Searches the audit trail, newest event first.",
		`It opens the database in data_dir and needs no running gateway. Filters are joined by AND. When there is
more than --limit, the cursor for the next events is told on standard error. With --output json each event
is one line with all of its columns, times in UTC.`,
		"docs/audit-schema.md", "sark audit query --decision deny --since 24h", "sark audit query --user ana --tool refund_order --output json")
	c.Args = noArguments
	f := c.Flags()
	o := queryOptions{since: &moment{now: p.now}, until: &moment{now: p.now}}
	f.StringVar(&o.filter.UserID, "user", "", "`ID` of the principal")
	f.StringVar(&o.filter.Server, "server", "", "`NAME` of the server, or its id in the registry")
	f.StringVar(&o.filter.Tool, "tool", "", "`NAME` of the tool")
	o.decision = addChoice(f, "decision", "", "how the policy decided", "allow", "deny")
	o.outcome = addChoice(f, "outcome", "", "`OUTCOME` of the exchange: "+strings.Join(outcomes(), ", "), outcomes()...)
	f.StringVar(&o.filter.EventType, "type", "", "event `TYPE`, such as tool_invoked")
	addMoment(f, o.since, "since", "events from this RFC 3339 `TIME` on, or since 15m, 2h, 7d ago")
	addMoment(f, o.until, "until", "events before this RFC 3339 `TIME`, or before 15m, 2h, 7d ago")
	f.IntVar(&o.filter.Limit, "limit", store.DefaultLimit, "print at most `N` events")
	f.StringVar(&o.filter.Cursor, "cursor", "", "`CURSOR` that an earlier query told")
	o.output = addOutput(f)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.auditQuery(c.Context(), o) }
	return c
}

func (p *program) auditQuery(ctx context.Context, o queryOptions) error {
	f := o.filter
	f.Decision, f.Outcome, f.From, f.To = o.decision.value, o.outcome.value, o.since.Time, o.until.Time
	if f.Limit < 1 {
		return misused("--limit: should be 1 or more")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return misused("--since should be before --until")
	}
	return p.withStore(ctx, false, func(db app.Database, _ *configs.Config) error {
		printer := newEventPrinter(p.stdout, o.output.json())
		next, err := printPages(ctx, db, f, printer)
		if errors.Is(err, store.ErrBadCursor) {
			return misused("--cursor: not a cursor of this list")
		}
		if err == nil && next != "" {
			p.say("there is more: add --cursor %s", next)
		}
		return err
	})
}

// printPages prints as many events as the filter's limit says and returns the cursor of the next, empty when there is none.
func printPages(ctx context.Context, db app.Database, f store.EventFilter, to *eventPrinter) (next string, err error) {
	for left := f.Limit; left > 0; {
		f.Limit = min(left, store.MaxLimit)
		page, err := db.Events(ctx, f)
		if err != nil {
			return "", err
		}
		events, err := eventsOf(page.Items)
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
func eventsOf(items []audit.Event) ([]event, error) {
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
