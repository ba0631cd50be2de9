package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"modernc.org/libc"

	"sark/internal/audit"
	"sark/store"
)

// inserter stores tuples as rows: the one statement that every event costs. It belongs to whoever holds the write connection.
type inserter struct {
	r         *raw
	statement *rawStatement
	columns   []audit.Column
	row       []byte  // a tuple, and after it what SQLite keeps in another form than the tuple
	arena     uintptr // SQLite's copy of row, to which bound texts point
	room      int     // bytes of the arena
	starts    [audit.ColumnCount]int
	sizes     [audit.ColumnCount]int
}

// openInserter opens the file a second time.
func openInserter(path string) (*inserter, error) {
	r, err := openRaw(path)
	if err != nil {
		return nil, err
	}
	n := &inserter{r: r, columns: audit.Columns()}
	for _, pragma := range writerPragmas() {
		if err := r.exec("PRAGMA " + strings.Replace(strings.TrimSuffix(pragma, ")"), "(", " = ", 1)); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	if n.statement, err = r.prepare(insertStatement()); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// close is for once; afterwards closed is all that may be asked.
func (n *inserter) close() error {
	if n.statement != nil {
		n.statement.close()
	}
	n.r.free(n.arena)
	return n.r.close()
}

func (n *inserter) closed() bool { return n.r.tls == nil }

// insert stores one tuple. It wraps store.ErrBadRow when the row can never be stored.
func (n *inserter) insert(tuple []byte) error {
	var fields audit.Fields
	if err := audit.SplitTuple(tuple, &fields); err != nil {
		return fmt.Errorf("%w: %w", store.ErrBadRow, err)
	}
	if err := n.lay(tuple, &fields); err != nil {
		return err
	}
	for i := range fields {
		if err := n.bindField(i, fields[i]); err != nil {
			return err
		}
	}
	if err := n.statement.run(); err != nil {
		return rowError(err)
	}
	return nil
}

// lay copies a tuple and what is derived from it to the arena, and notes where each text or blob begins.
func (n *inserter) lay(tuple []byte, fields *audit.Fields) (err error) {
	n.row = append(n.row[:0], tuple...)
	format := audit.TupleFormat(tuple)
	at := 2 // behind the number of fields
	for i, field := range fields {
		if n.columns[i].Since > format {
			continue // the tuple does not have it, and it is bound as NULL
		}
		at += 4 // behind the length
		t := n.columns[i].Type
		if !audit.WellFormed(t, field) { // it must not be bound
			return fmt.Errorf("%w: column %s is no %s", store.ErrBadRow, n.columns[i].Name, t)
		}
		n.starts[i], n.sizes[i] = at, len(field)
		at += len(field)
		if field == nil {
			continue
		}
		switch t {
		case audit.TypeJSONB:
			n.starts[i], n.sizes[i] = n.starts[i]+1, n.sizes[i]-1 // behind the version
		case audit.TypeTextArray:
			n.starts[i] = len(n.row)
			if n.row, err = appendTexts(n.row, field); err != nil {
				return err
			}
			n.sizes[i] = len(n.row) - n.starts[i]
		case audit.TypeInet:
			ip, _ := audit.FieldAddr(field)
			n.starts[i] = len(n.row)
			n.row = ip.AppendTo(n.row)
			n.sizes[i] = len(n.row) - n.starts[i]
		case audit.TypeText, audit.TypeUUID, audit.TypeBytea, audit.TypeTimestamp, audit.TypeInt4, audit.TypeInt8, audit.TypeFloat8,
			audit.TypeBool: // as in the tuple
		}
	}
	return n.copyRow()
}

func (n *inserter) copyRow() error {
	if len(n.row) > n.room {
		room := 2 * len(n.row)
		arena, err := n.r.alloc(room)
		if err != nil {
			return err
		}
		n.r.free(n.arena)
		n.arena, n.room = arena, room
	}
	copy(libc.GoBytes(n.arena, n.room), n.row)
	return nil
}

// bindField binds a field as SQLite keeps it, see docs/audit-schema.md.
func (n *inserter) bindField(i int, field []byte) error {
	s := n.statement
	if field == nil {
		return s.bindNull(i)
	}
	at := n.arena + uintptr(n.starts[i])
	switch n.columns[i].Type {
	case audit.TypeUUID, audit.TypeBytea:
		return s.bindBlob(i, at, n.sizes[i])
	case audit.TypeText, audit.TypeJSONB, audit.TypeTextArray, audit.TypeInet:
		return s.bindText(i, at, n.sizes[i])
	case audit.TypeTimestamp:
		return s.bindInt(i, audit.FieldTime(field).UnixMicro())
	case audit.TypeInt4:
		return s.bindInt(i, int64(int32(binary.BigEndian.Uint32(field)))) //nolint:gosec // two's complement on purpose
	case audit.TypeInt8:
		return s.bindInt(i, int64(binary.BigEndian.Uint64(field))) //nolint:gosec // two's complement on purpose
	case audit.TypeFloat8:
		return s.bindFloat(i, math.Float64frombits(binary.BigEndian.Uint64(field)))
	case audit.TypeBool:
		return s.bindInt(i, int64(field[0]))
	}
	return fmt.Errorf("BUG: audit column type %q has no form in SQLite", n.columns[i].Type)
}
