package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"sark/internal/audit"
)

// bind returns a field of an audit tuple as SQLite keeps it, see docs/audit-schema.md.
func bind(t audit.Type, field []byte) (any, error) {
	if field == nil {
		return nil, nil
	}
	switch t {
	case audit.TypeUUID, audit.TypeBytea:
		return field, nil
	case audit.TypeTimestamp:
		return audit.FieldTime(field).UnixMicro(), nil
	case audit.TypeInt4:
		return int64(int32(binary.BigEndian.Uint32(field))), nil //nolint:gosec // two's complement on purpose
	case audit.TypeInt8:
		return int64(binary.BigEndian.Uint64(field)), nil //nolint:gosec // two's complement on purpose
	case audit.TypeFloat8:
		return math.Float64frombits(binary.BigEndian.Uint64(field)), nil
	case audit.TypeBool:
		return int64(field[0]), nil
	case audit.TypeText:
		return string(field), nil
	case audit.TypeJSONB:
		return string(field[1:]), nil
	case audit.TypeTextArray:
		texts, _ := audit.FieldTexts(field)
		return jsonText(texts)
	case audit.TypeInet:
		ip, _ := audit.FieldAddr(field)
		return ip.String(), nil
	}
	return nil, fmt.Errorf("BUG: audit column type %q has no form in SQLite", t)
}

// field is bind's inverse: the tuple's field for a value that SQLite gave back.
func field(t audit.Type, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	case float64:
		return audit.Float8Field(v), nil
	case int64:
		return intField(t, v), nil
	case string:
		return textField(t, v)
	}
	return nil, fmt.Errorf("column of type %s holds a %T", t, value)
}

func intField(t audit.Type, v int64) []byte {
	switch t {
	case audit.TypeTimestamp:
		return audit.TimeField(time.UnixMicro(v))
	case audit.TypeInt4:
		return audit.Int4Field(int32(v)) //nolint:gosec // bind wrote an int32
	case audit.TypeBool:
		return audit.BoolField(v != 0)
	case audit.TypeFloat8:
		return audit.Float8Field(float64(v))
	case audit.TypeUUID, audit.TypeInt8, audit.TypeText, audit.TypeTextArray, audit.TypeJSONB, audit.TypeInet, audit.TypeBytea:
	}
	return audit.Int8Field(v)
}

func textField(t audit.Type, v string) ([]byte, error) {
	switch t {
	case audit.TypeTextArray:
		texts, err := parseTexts(v)
		return audit.TextsField(texts), err
	case audit.TypeJSONB:
		return audit.JSONField([]byte(v)), nil
	case audit.TypeInet:
		ip, err := netip.ParseAddr(v)
		return audit.AddrField(ip), err
	case audit.TypeUUID, audit.TypeTimestamp, audit.TypeInt4, audit.TypeInt8, audit.TypeFloat8, audit.TypeBool, audit.TypeText,
		audit.TypeBytea:
	}
	return []byte(v), nil
}

// jsonText is how a list of texts is kept.
func jsonText(texts []string) (string, error) {
	if len(texts) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(texts)
	if err != nil {
		return "", fmt.Errorf("write texts: %w", err)
	}
	return string(b), nil
}

// appendTexts appends the texts of a text[] field as jsonText writes them.
func appendTexts(dst, field []byte) (_ []byte, err error) {
	dst = append(dst, '[')
	first := true
	audit.EachText(field, func(text []byte) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if plain(text) {
			dst = append(append(append(dst, '"'), text...), '"')
			return
		}
		b, failed := json.Marshal(string(text))
		dst, err = append(dst, b...), errors.Join(err, failed)
	})
	return append(dst, ']'), err
}

// plain reports whether a text stands in JSON as it is.
func plain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func parseTexts(v string) ([]string, error) {
	var texts []string
	if err := json.Unmarshal([]byte(v), &texts); err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	if len(texts) == 0 {
		return nil, nil
	}
	return texts, nil
}

// micros is how a time is kept; the zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// instant is micros' inverse.
func instant(v *int64) time.Time {
	if v == nil {
		return time.Time{}
	}
	return time.UnixMicro(*v).UTC()
}
