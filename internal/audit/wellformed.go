package audit

import "encoding/binary"

// WellFormed reports whether a field of a tuple has the form of its column's type; nil, which is NULL, always has. It says of
// a field what DecodeTuple says of all of them, and allocates nothing.
func WellFormed(t Type, field []byte) bool {
	if field == nil {
		return true
	}
	switch t {
	case TypeUUID:
		return len(field) == 16
	case TypeTimestamp, TypeInt8, TypeFloat8:
		return len(field) == 8
	case TypeInt4:
		return len(field) == 4
	case TypeBool:
		return len(field) == 1
	case TypeBytea: // the only one is the hash
		return len(field) == 32
	case TypeJSONB:
		return len(field) >= 2 && field[0] == 1
	case TypeInet:
		_, ok := FieldAddr(field)
		return ok
	case TypeTextArray:
		return EachText(field, func([]byte) {})
	case TypeText:
		return true
	}
	return false
}

// EachText calls each with the texts of a text[] field of one dimension, one after the other, and reports whether it is one:
// false may come after some of them. They alias the field.
func EachText(field []byte, each func(text []byte)) bool {
	const header = 20
	if len(field) < header || binary.BigEndian.Uint32(field) != 1 || binary.BigEndian.Uint32(field[8:]) != textOID {
		return false
	}
	n, rest := binary.BigEndian.Uint32(field[12:]), field[header:]
	for range n {
		if len(rest) < 4 {
			return false
		}
		size := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if uint64(size) > uint64(len(rest)) {
			return false
		}
		each(rest[:size])
		rest = rest[size:]
	}
	return len(rest) == 0
}
