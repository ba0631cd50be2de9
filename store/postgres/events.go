package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
	"sark/store"
)

// Events returns a page of the audit trail, newest first. A filter that could never match is a store.FilterError; a cursor
// of another list wraps store.ErrBadCursor.
func (d *DB) Events(ctx context.Context, f store.EventFilter) (store.EventPage, error) {
	defer d.timer.Observe("events", time.Now())
	if err := f.Validate(); err != nil {
		return store.EventPage{}, err
	}
	query, args, err := EventQuery(f)
	if err != nil {
		return store.EventPage{}, err
	}
	items, err := d.listEvents(ctx, query, args)
	if err != nil {
		return store.EventPage{}, fmt.Errorf("query events: %w", err)
	}
	return f.Cut(items), nil
}

// selectEvents casts each column to the type that package audit reads; the cast of a column that has it already is free.
var selectEvents = "SELECT " + columnList(audit.Columns(), "::%s") + " FROM audit_events"

// EventQuery is the statement of Events and its arguments, for whoever asks the planner about it.
func EventQuery(f store.EventFilter) (string, []any, error) {
	w, err := eventConditions(f)
	if err != nil {
		return "", nil, err
	}
	query := selectEvents + w.String() + ` ORDER BY "timestamp" DESC, id DESC LIMIT ` + w.arg(f.PageSize()+1)
	return query, w.args, nil
}

func (d *DB) listEvents(ctx context.Context, query string, args []any) ([]audit.Event, error) {
	c, err := d.api.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	var items []audit.Event
	err = readTuples(ctx, c.Conn(), query, args, func(fields *audit.Fields) error {
		e, err := audit.DecodeFields(fields)
		items = append(items, e)
		return err
	})
	return items, err
}

// readTuples runs a query for all audit columns and calls take for each row, with the fields of its tuple: they have the
// binary form of the columns. The fields are valid during the call only.
func readTuples(ctx context.Context, c *pgx.Conn, query string, args []any, take func(*audit.Fields) error) error {
	mode := c.Config().DefaultQueryExecMode
	if mode == pgx.QueryExecModeExec { // has no binary results; this one too leaves no prepared statement behind
		mode = pgx.QueryExecModeCacheDescribe
	}
	rows, err := c.Query(ctx, query, append([]any{mode, pgx.QueryResultFormats{pgx.BinaryFormatCode}}, storable(args)...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns := audit.Columns()
	for rows.Next() {
		var fields audit.Fields
		copy(fields[:], rows.RawValues())
		restoreJSON(columns, &fields)
		if err := take(&fields); err != nil {
			return err
		}
	}
	return rows.Err()
}

// restoreJSON puts documents back into the form that was hashed: jsonb keeps its own order of keys and spelling of numbers.
func restoreJSON(columns []audit.Column, fields *audit.Fields) {
	for i, c := range columns {
		if c.Type != audit.TypeJSONB || len(fields[i]) == 0 {
			continue
		}
		if field, err := audit.AppendCanonical([]byte{jsonbVersion}, fields[i][1:]); err == nil {
			fields[i] = field
		}
	}
}

// jsonbVersion begins the binary form of a jsonb.
const jsonbVersion = 1

func eventConditions(f store.EventFilter) (*where, error) {
	w := new(where)
	w.byID("id", f.ID)
	w.byID("exchange_id", f.ExchangeID)
	w.byID("decision_id", f.DecisionID)
	f.EachText(w.equal)
	w.in("severity", f.Severity)
	if f.Urgent() {
		w.add("severity IN ('high', 'critical')") // the condition of the index, word by word
	}
	if f.IP.IsValid() {
		w.add("ip_address = " + w.arg(f.IP))
	}
	if !f.From.IsZero() {
		w.add(`"timestamp" >= ` + w.arg(f.From))
	}
	if !f.To.IsZero() {
		w.add(`"timestamp" < ` + w.arg(f.To))
	}
	if f.Cursor == "" {
		return w, nil
	}
	c, err := f.After()
	if err != nil {
		return nil, err
	}
	w.after(c)
	return w, nil
}
