package postgres

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

// idWindow is how far from the time in a UUIDv7 the event that carries it may lie: both stem from one exchange. Without the
// time, a look-up by id would have to open every chunk of a partitioned trail.
const idWindow = 5 * time.Second

// where collects the conditions of a query and their arguments. Names and conditions are constants of this package; what
// comes from outside is an argument.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string) { w.conditions = append(w.conditions, condition) }

// arg adds an argument and returns its place holder.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// equal compares a text column, unless there is nothing to compare with.
func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column + " = " + w.arg(value))
	}
}

// byID compares a UUID column, and narrows the search to the time in a UUIDv7.
func (w *where) byID(column string, id uuid.UUID) {
	if id == uuid.Nil {
		return
	}
	w.add(column + " = " + w.arg(id))
	if id.Version() == 7 {
		at := time.Unix(id.Time().UnixTime())
		w.add(`"timestamp" BETWEEN ` + w.arg(at.Add(-idWindow)) + " AND " + w.arg(at.Add(idWindow)))
	}
}

// in compares a text column with several values, unless there are none. One value is compared as such: of a list the planner
// does not know that an index on (column, time) yields it in the order of time, and so would read and sort all that match.
func (w *where) in(column string, values []string) {
	switch len(values) {
	case 0:
	case 1:
		w.equal(column, values[0])
	default:
		w.add(column + " = ANY (" + w.arg(values) + ")")
	}
}

// after adds the condition of a cursor in the order of the trail. No chunk and no partition is left out for a comparison of rows:
// those of later days are for the one of times beside it, which says nothing new.
func (w *where) after(c store.Cursor) {
	at := w.arg(c.Time)
	w.add(`"timestamp" <= ` + at)
	w.add(`("timestamp", id) < (` + at + ", " + w.arg(c.ID) + ")")
}

// String is the WHERE clause with a space before it, or nothing.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
