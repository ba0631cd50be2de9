package store

import (
	"errors"
	"fmt"
)

// Errors on which callers branch. They are wrapped: ask with errors.Is.
var (
	// ErrNotFound says that no such server or key exists.
	ErrNotFound = errors.New("not found")
	// ErrNameTaken says that another server, not decommissioned, has the name, or another key the id.
	ErrNameTaken = errors.New("name is taken")
	// ErrConflict says that a server was changed, or decommissioned, since the revision that a change is based on.
	ErrConflict = errors.New("changed in the meantime")
	// ErrBadCursor says that a cursor was not made by this list in this order.
	ErrBadCursor = errors.New("cursor is not valid")
	// ErrBadFilter says that a filter has a value which could never match; see FilterError.
	ErrBadFilter = errors.New("filter is not valid")
	// ErrFenced says that the offset in the sink is not the one that the batch follows: another shipper owns the writer, or
	// the batch was committed before.
	ErrFenced = errors.New("another offset is in force")
	// ErrBadRow says that the sink can never take a row of the batch, however often it is sent.
	ErrBadRow = errors.New("row cannot be stored")
)

// FilterError names the filter whose value could never match. It wraps ErrBadFilter.
type FilterError struct {
	Field string // the parameter's name in the API: "status", "limit"
	Value string
}

// Error says which value of which filter is wrong.
func (e *FilterError) Error() string {
	return fmt.Sprintf("filter %s: value %q is not valid", e.Field, e.Value)
}

// Unwrap returns ErrBadFilter.
func (e *FilterError) Unwrap() error { return ErrBadFilter }

// ItemError says which of several servers could not be written. None of them was.
type ItemError struct {
	Index int // of the server in the call's list
	Err   error
}

// Error says why, and at which place of the list.
func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }

// Unwrap returns the reason.
func (e *ItemError) Unwrap() error { return e.Err }
