package indexes

import "fmt"

// State is how an index stands before anything was done.
type State string

// The states.
const (
	// Present is an index that is there and valid.
	Present State = "present"
	// Missing is an index that is not there.
	Missing State = "missing"
	// Invalid is what an interrupted build has left: the database keeps it up to date and reads it for nothing.
	Invalid State = "invalid"
	// Building is an index that another session is building now.
	Building State = "building"
	// Different is an index of our name that is not ours: it has other columns or another condition.
	Different State = "different"
)

// Step is what one index needs.
type Step struct {
	Index      Index
	State      State
	Shape      Shape    // of its table
	Statements []string // what Run executes one by one, each outside a transaction; none when there is nothing to do
	Trouble    string   // why an index that is Building or Different is not touched, and what to do
}

// Error is an index that could not be built.
type Error struct {
	Index string // its name
	Fix   string // what to do
	Cause error
}

// Error names the index, the cause and the fix.
func (e *Error) Error() string { return fmt.Sprintf("index %s: %v; %s", e.Index, e.Cause, e.Fix) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Shape is what a table is in its database.
type Shape string

// The shapes.
const (
	// Plain is an ordinary table.
	Plain Shape = "table"
	// Partitioned is a natively partitioned table: an index of it is one of each partition.
	Partitioned Shape = "partitioned table"
	// Hypertable is one of TimescaleDB: an index of it is one of each chunk.
	Hypertable Shape = "hypertable"
)
