package audit

import (
	"bytes"
	"math"
	"strconv"
)

func (c *canon) number(dst []byte) ([]byte, error) {
	start := c.pos
	for c.pos < len(c.src) && bytes.IndexByte([]byte("+-.0123456789Ee"), c.src[c.pos]) >= 0 {
		c.pos++
	}
	token := c.src[start:c.pos]
	whole, ok := numberForm(token)
	if !ok {
		c.pos = start
		return dst, errSyntax
	}
	if whole {
		if n, err := strconv.ParseInt(string(token), 10, 64); err == nil {
			return appendDecimal(dst, n), nil
		}
	}
	f, err := strconv.ParseFloat(string(token), 64)
	if err != nil {
		return dst, errRange
	}
	return appendFloatText(dst, f), nil
}

// numberForm checks the grammar of RFC 8259, section 6, and reports whether there is neither fraction nor exponent.
func numberForm(t []byte) (whole, ok bool) {
	t = bytes.TrimPrefix(t, []byte("-"))
	n := digits(t)
	if n == 0 || n > 1 && t[0] == '0' {
		return false, false
	}
	t, whole = t[n:], true
	if len(t) > 0 && t[0] == '.' {
		n, whole = digits(t[1:]), false
		if n == 0 {
			return false, false
		}
		t = t[1+n:]
	}
	if len(t) > 0 && (t[0] == 'e' || t[0] == 'E') {
		t, whole = t[1:], false
		if len(t) > 0 && (t[0] == '+' || t[0] == '-') {
			t = t[1:]
		}
		n = digits(t)
		if n == 0 {
			return false, false
		}
		t = t[n:]
	}
	return whole, len(t) == 0
}

func digits(t []byte) int {
	for i, b := range t {
		if b < '0' || b > '9' {
			return i
		}
	}
	return len(t)
}

// appendFloatText writes f as ECMAScript does: plain digits from 1e-6 to 1e21, else an exponent without leading zeros.
func appendFloatText(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0') // also for -0
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' { // 1e-07 is written 1e-7
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}
