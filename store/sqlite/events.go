package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sark/internal/audit"
	"sark/store"
)

// idWindow is how far from the time in a UUIDv7 the event that carries it may lie: both stem from one exchange.
const idWindow = 5 * time.Second

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
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return store.EventPage{}, fmt.Errorf("query events: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	items, err := scanEvents(rows)
	if err != nil {
		return store.EventPage{}, fmt.Errorf("read events: %w", err)
	}
	return f.Cut(items), nil
}

// EventQuery is the statement of Events and its arguments, for whoever asks the planner about it.
func EventQuery(f store.EventFilter) (string, []any, error) {
	w, err := eventConditions(f)
	if err != nil {
		return "", nil, err
	}
	query := "SELECT " + columnList() + " FROM audit_events" + w.String() + ` ORDER BY "timestamp" DESC, id DESC LIMIT ?`
	return query, append(w.args, f.PageSize()+1), nil
}

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
		w.add("ip_address = ?", f.IP.String())
	}
	if !f.From.IsZero() {
		w.add(`"timestamp" >= ?`, f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		w.add(`"timestamp" < ?`, f.To.UnixMicro())
	}
	if f.Cursor == "" {
		return w, nil
	}
	c, err := f.After()
	if err != nil {
		return nil, err
	}
	w.add(`("timestamp", id) < (?, ?)`, c.Time.UnixMicro(), c.ID[:])
	return w, nil
}

func scanEvents(rows *sql.Rows) ([]audit.Event, error) {
	columns := audit.Columns()
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var items []audit.Event
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		var fields audit.Fields
		for i, c := range columns {
			f, err := field(c.Type, values[i])
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", c.Name, err)
			}
			fields[i] = f
		}
		e, err := audit.DecodeFields(&fields)
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return items, rows.Err()
}
