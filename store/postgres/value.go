package postgres

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// tupleValues returns a tuple's fields as Go values, for a table whose columns have other types than ours.
func tupleValues(columns []audit.Column, tuple []byte) ([]any, error) {
	var fields audit.Fields
	if err := audit.SplitTuple(tuple, &fields); err != nil {
		return nil, err
	}
	if _, err := audit.DecodeTuple(tuple); err != nil { // value relies on the fields' form
		return nil, err
	}
	values := make([]any, len(columns))
	for i, c := range columns {
		v, err := value(c.Type, fields[i])
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// value reads a field of a tuple that was found well-formed.
func value(t audit.Type, field []byte) (any, error) {
	if field == nil {
		return nil, nil
	}
	switch t {
	case audit.TypeUUID:
		return uuid.UUID(field), nil
	case audit.TypeBytea:
		return field, nil
	case audit.TypeTimestamp:
		return audit.FieldTime(field), nil
	case audit.TypeInt4:
		return int32(binary.BigEndian.Uint32(field)), nil //nolint:gosec // two's complement on purpose
	case audit.TypeInt8:
		return int64(binary.BigEndian.Uint64(field)), nil //nolint:gosec // two's complement on purpose
	case audit.TypeFloat8:
		return math.Float64frombits(binary.BigEndian.Uint64(field)), nil
	case audit.TypeBool:
		return field[0] != 0, nil
	case audit.TypeText:
		return string(field), nil
	case audit.TypeJSONB:
		return json.RawMessage(field[1:]), nil
	case audit.TypeTextArray:
		texts, _ := audit.FieldTexts(field)
		return texts, nil
	case audit.TypeInet:
		ip, _ := audit.FieldAddr(field)
		return ip, nil
	}
	return nil, fmt.Errorf("BUG: audit column type %q has no Go value", t)
}
