package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// eventList names the trail's order in its cursors.
const eventList = "events"

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
	return eventPage(items, f.PageSize()), nil
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

func eventPage(items []audit.Event, size int) store.EventPage {
	if len(items) <= size {
		return store.EventPage{Items: items}
	}
	items = items[:size]
	last := &items[size-1]
	return store.EventPage{
		Items: items, HasMore: true, NextCursor: store.Cursor{Time: last.Time, ID: last.ID}.Encode(eventList),
	}
}

func eventConditions(f store.EventFilter) (*where, error) {
	w := new(where)
	w.byID("id", f.ID)
	w.byID("exchange_id", f.ExchangeID)
	w.byID("decision_id", f.DecisionID)
	w.equal("user_id", f.UserID)
	if _, err := uuid.Parse(f.Server); err == nil {
		w.equal("server_id", f.Server)
	} else {
		w.equal("server_name", f.Server)
	}
	w.equal("tool_name", f.Tool)
	w.equal("decision", f.Decision)
	w.equal("outcome", f.Outcome)
	w.equal("event_type", f.EventType)
	w.in("severity", f.Severity)
	if f.Urgent() {
		w.add("severity IN ('high', 'critical')") // the condition of the index, word by word
	}
	w.equal("action_operation", f.Action)
	w.equal("rule", f.Rule)
	w.equal("phase", f.Phase)
	w.equal("session_id", f.SessionID)
	w.equal("trace_id", f.TraceID)
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
	c, err := store.DecodeCursor(eventList, f.Cursor)
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
	var tuple []byte
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
		tuple = audit.JoinTuple(tuple[:0], &fields)
		e, err := audit.DecodeTuple(tuple)
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return items, rows.Err()
}
