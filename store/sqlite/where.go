package sqlite

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// where collects the conditions of a query and their arguments. Names and conditions are constants of this package; what
// comes from outside is an argument.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

// equal compares a text column, unless there is nothing to compare with.
func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

// byID compares a UUID column, and narrows the search to the time in a UUIDv7.
func (w *where) byID(column string, id uuid.UUID) {
	if id == uuid.Nil {
		return
	}
	w.add(column+" = ?", id[:])
	if id.Version() == 7 {
		at := time.Unix(id.Time().UnixTime())
		w.add(`"timestamp" BETWEEN ? AND ?`, at.Add(-idWindow).UnixMicro(), at.Add(idWindow).UnixMicro())
	}
}

// in compares a text column with several values, unless there are none.
func (w *where) in(column string, values []string) {
	if len(values) > 0 {
		w.add(column+" IN ("+marks(len(values))+")", texts(values)...)
	}
}

// String is the WHERE clause with a space before it, or nothing.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func texts(values []string) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return args
}
