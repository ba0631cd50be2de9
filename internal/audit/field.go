package audit

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// MaxText is the longest text of one column, in bytes. Longer texts are cut at a character's border. It is below what an
// index row of PostgreSQL holds (about 2,700 bytes), so that no caller can keep an event out of the trail by a long name.
const MaxText = 2048

// MaxJSON is the largest JSON document of one column, in bytes. A larger one is replaced by {"omitted_bytes":n}.
const MaxJSON = 16 << 10

// epochMicros is PostgreSQL's epoch, 2000-01-01 UTC, in microseconds since 1970.
const epochMicros = 946684800 * 1_000_000

// null is the length of a NULL field.
const null = math.MaxUint32

// textOID is PostgreSQL's type number of text, which an array's header names.
const textOID = 25

// Families and fixed bytes of PostgreSQL's binary inet: family, prefix length, is_cidr, address length.
const (
	inetV4 = 2
	inetV6 = 3
)

func appendNull(b []byte) []byte { return binary.BigEndian.AppendUint32(b, null) }

func appendInt4(b []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 4), uint32(v)) //nolint:gosec // two's complement on purpose
}

func appendInt8(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(v)) //nolint:gosec // two's complement on purpose
}

// appendFloat writes 0 for what JSON cannot say: NaN and the infinities.
func appendFloat(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), math.Float64bits(v))
}

func appendBool(b []byte, v bool) []byte {
	b = binary.BigEndian.AppendUint32(b, 1)
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendUUID(b []byte, u *uuid.UUID) []byte {
	return append(binary.BigEndian.AppendUint32(b, 16), u[:]...)
}

func appendOptionalUUID(b []byte, u *uuid.UUID) []byte {
	if *u == uuid.Nil {
		return appendNull(b)
	}
	return appendUUID(b, u)
}

func appendTime(b []byte, t time.Time) []byte { return appendInt8(b, t.UnixMicro()-epochMicros) }

func appendOptionalTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return appendNull(b)
	}
	return appendTime(b, t)
}

func appendBytes(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) //nolint:gosec // a hash
}

func appendText(b []byte, s string) []byte {
	if s == "" {
		return appendNull(b)
	}
	return appendRequiredText(b, s)
}

func appendRequiredText(b []byte, s string) []byte {
	if len(s) > MaxText || !plain(s) {
		return appendUncommonText(b, s)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // at most MaxText
	return append(b, s...)
}

// appendUncommonText writes what a text column of PostgreSQL can hold of s: at most MaxText bytes of UTF-8, with NUL and
// ill-formed bytes replaced by U+FFFD.
func appendUncommonText(b []byte, s string) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, r := range s {
		if r == 0 {
			r = utf8.RuneError
		}
		if len(b)-start-4+utf8.RuneLen(r) > MaxText {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // at most MaxText
	return b
}

// plain reports whether s is ASCII without NUL, eight bytes at a time: almost every text of an event is.
func plain(s string) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	for len(s) >= 8 {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if (w|(w-low)&^w)&high != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if c := s[i]; c-1 >= utf8.RuneSelf-1 {
			return false
		}
	}
	return true
}

// appendTextArray writes a one-dimensional text[]: dimensions, no NULLs, element type, length, lower bound, elements.
func appendTextArray(b []byte, v []string) []byte {
	if len(v) == 0 {
		return appendNull(b)
	}
	start := len(b)
	for _, word := range [...]uint32{0, 1, 0, textOID, uint32(len(v)), 1} { //nolint:gosec // a handful of roles
		b = binary.BigEndian.AppendUint32(b, word)
	}
	for _, s := range v {
		b = appendRequiredText(b, s)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // roles of one principal
	return b
}

// appendInet writes one address in its normal form: an IPv4 address mapped into IPv6 as IPv4, without a zone.
func appendInet(b []byte, ip netip.Addr) []byte {
	ip = ip.Unmap()
	switch {
	case ip.Is4():
		a := ip.As4()
		b = append(binary.BigEndian.AppendUint32(b, 8), inetV4, 32, 0, 4)
		return append(b, a[:]...)
	case ip.Is6():
		a := ip.As16()
		b = append(binary.BigEndian.AppendUint32(b, 20), inetV6, 128, 0, 16)
		return append(b, a[:]...)
	}
	return appendNull(b)
}

// appendJSON writes a jsonb: the version byte 1, then the text. PostgreSQL refuses the escape \u0000 in it, so that one is
// replaced by \ufffd.
func appendJSON(b, doc []byte) []byte {
	if len(doc) == 0 {
		return appendNull(b)
	}
	if len(doc) > MaxJSON {
		return appendOmitted(b, len(doc))
	}
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(doc)+1)), 1) //nolint:gosec // at most MaxJSON
	start := len(b)
	b = append(b, doc...)
	replaceNULEscapes(b[start:])
	return b
}

func appendOmitted(b []byte, size int) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 1)
	b = append(b, `{"omitted_bytes":`...)
	b = appendDecimal(b, int64(size))
	b = append(b, '}')
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // a few bytes
	return b
}

// replaceNULEscapes overwrites each \u0000 in a JSON text by \ufffd, which has as many bytes.
func replaceNULEscapes(doc []byte) {
	for i := 0; i+5 < len(doc); i++ {
		if doc[i] != '\\' {
			continue
		}
		if string(doc[i+1:i+6]) == "u0000" {
			copy(doc[i+2:], "fffd")
		}
		i++ // the escaped character is no escape itself
	}
}
