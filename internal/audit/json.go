package audit

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// MarshalJSON renders an event as a JSON object whose members are the columns in their order: times in RFC 3339 with
// microseconds, hashes in hexadecimal, NULL left out, and a document that is no JSON as a text. It is the form of exports and of set-aside rows.
func (e Event) MarshalJSON() ([]byte, error) {
	var fields Fields
	if err := SplitTuple(AppendTuple(nil, &e), &fields); err != nil {
		return nil, err
	}
	if e.Format != 0 { // it was read, perhaps from a row of another format
		fields[columnFormat] = formatField(e.Format)
	}
	return appendFieldsJSON(nil, &fields)
}

// AppendJSON appends a tuple as the object that MarshalJSON describes. Its error wraps ErrTuple.
func AppendJSON(dst, tuple []byte) ([]byte, error) {
	var fields Fields
	if err := SplitTuple(tuple, &fields); err != nil {
		return dst, err
	}
	return appendFieldsJSON(dst, &fields)
}

func appendFieldsJSON(dst []byte, fields *Fields) ([]byte, error) {
	if _, err := DecodeFields(fields); err != nil {
		return dst, err
	}
	sep := byte('{')
	for i, c := range Columns() {
		if fields[i] == nil {
			continue
		}
		dst = append(dst, sep)
		dst = appendQuoted(dst, c.Name)
		dst = append(dst, ':')
		dst = appendFieldJSON(dst, c.Type, fields[i])
		sep = ','
	}
	if sep == '{' {
		dst = append(dst, sep)
	}
	return append(dst, '}'), nil
}

// appendFieldJSON renders a field that DecodeFields has found sound.
func appendFieldJSON(dst []byte, t Type, f []byte) []byte {
	switch t {
	case TypeUUID:
		return appendQuoted(dst, uuid.UUID(f).String())
	case TypeTimestamp:
		return append(FieldTime(f).AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
	case TypeInt4:
		return appendDecimal(dst, int64(int32(binary.BigEndian.Uint32(f)))) //nolint:gosec // two's complement on purpose
	case TypeInt8:
		return appendDecimal(dst, int64(binary.BigEndian.Uint64(f))) //nolint:gosec // two's complement on purpose
	case TypeFloat8:
		return appendFloatText(dst, math.Float64frombits(binary.BigEndian.Uint64(f)))
	case TypeBool:
		return strconv.AppendBool(dst, f[0] != 0)
	case TypeTextArray:
		return appendTextsJSON(dst, f)
	case TypeJSONB:
		if !json.Valid(f[1:]) {
			return appendQuoted(dst, string(f[1:]))
		}
		return append(dst, f[1:]...)
	case TypeInet:
		ip, _ := FieldAddr(f)
		return appendQuoted(dst, ip.String())
	case TypeBytea:
		return append(hex.AppendEncode(append(dst, '"'), f), '"')
	case TypeText:
	}
	return appendQuoted(dst, string(f))
}

func appendTextsJSON(dst, f []byte) []byte {
	texts, _ := FieldTexts(f)
	dst = append(dst, '[')
	for i, s := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, s)
	}
	return append(dst, ']')
}
