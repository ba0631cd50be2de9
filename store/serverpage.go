package store

import (
	"fmt"

	"github.com/google/uuid"
)

// list names the order in cursors, so that one of the other order is refused.
func (f *ServerFilter) list() string {
	if f.Ascending {
		return "servers asc"
	}
	return "servers desc"
}

// After is the place in the list after which the page begins. It wraps ErrBadCursor, and is for filters with a cursor.
func (f *ServerFilter) After() (Cursor, error) { return DecodeCursor(f.list(), f.Cursor) }

// Cut makes a page of what was read for it, one server more than fits when there are further ones.
func (f *ServerFilter) Cut(page ServerPage) (ServerPage, error) {
	size := f.PageSize()
	if len(page.Items) <= size {
		return page, nil
	}
	page.Items = page.Items[:size]
	last := &page.Items[size-1]
	id, err := uuid.Parse(last.ID)
	if err != nil {
		return ServerPage{}, fmt.Errorf("make cursor: id of server %q: %w", last.Name, err)
	}
	page.HasMore = true
	page.NextCursor = Cursor{Time: last.CreatedAt, ID: id}.Encode(f.list())
	return page, nil
}
