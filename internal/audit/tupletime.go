package audit

import (
	"encoding/binary"
	"time"
)

// The place of the timestamp in a tuple: after the number of columns, the id and its length.
const (
	timeLength = 2 + lengthPrefix + 16
	timeValue  = timeLength + lengthPrefix
)

// TupleTime reads the timestamp of a tuple without decoding the rest; false when the bytes are no tuple.
func TupleTime(tuple []byte) (time.Time, bool) {
	if len(tuple) < timeValue+8 || binary.BigEndian.Uint32(tuple[2:]) != 16 || binary.BigEndian.Uint32(tuple[timeLength:]) != 8 {
		return time.Time{}, false
	}
	return FieldTime(tuple[timeValue : timeValue+8]), true
}
