package audit

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// ParseJSON appends the tuple of an object that AppendJSON has written: the same bytes, so that its place in the chain can be
// checked. An object with other members than the columns of its format wraps ErrTuple,
// one of a format that is not known ErrNewer.
func ParseJSON(dst, object []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return dst, fmt.Errorf("%w: %w", ErrTuple, err)
	}
	var fields Fields
	for i, c := range Columns() {
		text, ok := members[c.Name]
		if !ok {
			continue
		}
		delete(members, c.Name)
		field, err := parseField(c.Type, text)
		if err != nil {
			return dst, fmt.Errorf("%w: %s: %w", ErrTuple, c.Name, err)
		}
		fields[i] = field
	}
	tuple, err := JoinTuple(dst, &fields)
	if err != nil {
		return dst, err
	}
	for name := range members {
		return dst, fmt.Errorf("%w: there is no column %q", ErrTuple, name)
	}
	return tuple, nil
}

// parseField reads one member; it is the inverse of appendFieldJSON.
func parseField(t Type, text json.RawMessage) ([]byte, error) {
	switch t {
	case TypeInt4:
		v, err := parse[int32](text)
		return binary.BigEndian.AppendUint32(nil, uint32(v)), err //nolint:gosec // two's complement on purpose
	case TypeInt8:
		v, err := parse[int64](text)
		return binary.BigEndian.AppendUint64(nil, uint64(v)), err //nolint:gosec // two's complement on purpose
	case TypeFloat8:
		v, err := parse[float64](text)
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)), err
	case TypeBool:
		v, err := parse[bool](text)
		if v {
			return []byte{1}, err
		}
		return []byte{0}, err
	case TypeTextArray:
		v, err := parse[[]string](text)
		return appendTextArray(nil, v)[4:], err
	case TypeJSONB:
		return append([]byte{1}, text...), nil
	case TypeText, TypeUUID, TypeTimestamp, TypeInet, TypeBytea:
	}
	s, err := parse[string](text)
	if err != nil {
		return nil, err
	}
	return parseText(t, s)
}

// parseText reads what is a text in JSON.
func parseText(t Type, s string) ([]byte, error) {
	switch t {
	case TypeUUID:
		id, err := uuid.Parse(s)
		return id[:], err
	case TypeTimestamp:
		at, err := time.Parse(time.RFC3339Nano, s)
		return appendTime(nil, at)[4:], err
	case TypeInet:
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return nil, err
		}
		return appendInet(nil, ip)[4:], nil
	case TypeBytea:
		return hex.DecodeString(s)
	case TypeText, TypeInt4, TypeInt8, TypeFloat8, TypeBool, TypeTextArray, TypeJSONB:
	}
	return []byte(s), nil
}

func parse[T any](text json.RawMessage) (v T, err error) {
	err = json.Unmarshal(text, &v)
	return v, err
}
