package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Format is the version of the columns in which events are sealed. A later version of SARK may add columns, never remove or
// change one: it raises Format, gives the new columns their Since, and says in columnCount how many there are.
//
// An event keeps the format in which it was sealed for ever: its hash covers the columns of that format and no others. A tuple
// says its format by its number of columns, and a row of a database or export by the column format, which the hash covers, too.
const Format = 2

// firstFormat has no column format: its rows have NULL there.
const firstFormat = 1

// columnCount is how many columns a format has, 0 when this version of SARK does not know it. No two formats have the same
// number.
func columnCount(format int32) int {
	switch format {
	case firstFormat:
		return 59
	case Format:
		return ColumnCount
	}
	return 0
}

// lastColumns stand at the end in every format: writer_id, seq and hash.
const lastColumns = 3

// has reports whether a format that is known has the column at a place of Columns.
func has(format int32, place int) bool {
	return place < columnCount(format)-lastColumns || place >= ColumnCount-lastColumns
}

// ErrNewer is wrapped by errors about what was sealed in a format that this version of SARK does not know.
var ErrNewer = errors.New("it was written by a newer version of SARK")

// TupleFormat is the format of a tuple, 0 when it has the number of columns of none.
func TupleFormat(tuple []byte) int32 {
	if len(tuple) < 2 {
		return 0
	}
	n := int(binary.BigEndian.Uint16(tuple))
	for format := int32(Format); format >= firstFormat; format-- {
		if columnCount(format) == n {
			return format
		}
	}
	return 0
}

// FormatColumns lists the columns of a format in the order in which its tuples have them, none for a format that is not known.
func FormatColumns(format int32) []Column {
	if columnCount(format) == 0 {
		return nil
	}
	var list []Column
	for i, c := range Columns() {
		if has(format, i) {
			list = append(list, c)
		}
	}
	return list
}

// format is what the fields say of their format. An error wraps ErrTuple or ErrNewer.
func (f *Fields) format() (int32, error) {
	field := f[columnFormat]
	if field == nil {
		return firstFormat, nil
	}
	if len(field) != 4 {
		return 0, fmt.Errorf("%w: its format has %d bytes", ErrTuple, len(field))
	}
	says := int32(binary.BigEndian.Uint32(field)) //nolint:gosec // two's complement on purpose
	switch {
	case says <= firstFormat:
		return 0, fmt.Errorf("%w: it says format %d, which no gateway writes", ErrTuple, says)
	case says > Format:
		return 0, fmt.Errorf("%w: its format is %d, and this one knows formats up to %d", ErrNewer, says, Format)
	}
	return says, nil
}

// formatField is the field of a format; the first has none.
func formatField(format int32) []byte {
	if format == firstFormat {
		return nil
	}
	return Int4Field(format)
}
