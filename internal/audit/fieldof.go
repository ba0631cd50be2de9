package audit

import (
	"net/netip"
	"time"
)

// lengthPrefix is what stands before each field of a tuple and is no part of the field.
const lengthPrefix = 4

// TimeField returns t as a timestamptz field, for databases that keep times in another form.
func TimeField(t time.Time) []byte { return appendTime(nil, t)[lengthPrefix:] }

// Int4Field returns v as an int4 field.
func Int4Field(v int32) []byte { return appendInt4(nil, v)[lengthPrefix:] }

// Int8Field returns v as an int8 field.
func Int8Field(v int64) []byte { return appendInt8(nil, v)[lengthPrefix:] }

// Float8Field returns v as a float8 field.
func Float8Field(v float64) []byte { return appendFloat(nil, v)[lengthPrefix:] }

// BoolField returns v as a bool field.
func BoolField(v bool) []byte { return appendBool(nil, v)[lengthPrefix:] }

// TextsField returns v as a text[] field, nil when there are none.
func TextsField(v []string) []byte {
	if len(v) == 0 {
		return nil
	}
	return appendTextArray(nil, v)[lengthPrefix:]
}

// JSONField returns a canonical document as a jsonb field, nil when there is none.
func JSONField(doc []byte) []byte {
	if len(doc) == 0 {
		return nil
	}
	return appendJSON(nil, doc)[lengthPrefix:]
}

// AddrField returns ip as an inet field, nil when it is not valid.
func AddrField(ip netip.Addr) []byte {
	if !ip.IsValid() {
		return nil
	}
	return appendInet(nil, ip)[lengthPrefix:]
}
