package store

import (
	"github.com/google/uuid"

	"sark/internal/audit"
)

// eventList names the trail's order in its cursors.
const eventList = "events"

// After is the place in the trail after which the page begins, going back in time. It wraps ErrBadCursor, and is for filters
// with a cursor.
func (f *EventFilter) After() (Cursor, error) { return DecodeCursor(eventList, f.Cursor) }

// Cut makes a page of what was read for it, newest first, one event more than fits when there are further ones.
func (f *EventFilter) Cut(items []audit.Event) EventPage {
	size := f.PageSize()
	if len(items) <= size {
		return EventPage{Items: items}
	}
	items = items[:size]
	last := &items[size-1]
	return EventPage{Items: items, HasMore: true, NextCursor: Cursor{Time: last.Time, ID: last.ID}.Encode(eventList)}
}

// EachText calls equal with each column of texts that the filter compares and what it wants there, which is empty when it
// wants nothing of that column. A server is meant by its id or by its name, as its form says.
func (f *EventFilter) EachText(equal func(column, value string)) {
	equal("user_id", f.UserID)
	if _, err := uuid.Parse(f.Server); err == nil {
		equal("server_id", f.Server)
	} else {
		equal("server_name", f.Server)
	}
	equal("tool_name", f.Tool)
	equal("decision", f.Decision)
	equal("outcome", f.Outcome)
	equal("event_type", f.EventType)
	equal("action_operation", f.Action)
	equal("rule", f.Rule)
	equal("phase", f.Phase)
	equal("session_id", f.SessionID)
	equal("trace_id", f.TraceID)
}
