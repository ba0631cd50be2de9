package authz

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped decodes the inside of a JSON text; false for what is no escape, and for half a surrogate pair.
func appendUnescaped(b, s []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(b, s...), true
		}
		b = append(b, s[:i]...)
		s = s[i+1:]
		if len(s) == 0 {
			return b, false
		}
		if s[0] == 'u' {
			r, n := escapedRune(s)
			if n == 0 {
				return b, false
			}
			b, s = utf8.AppendRune(b, r), s[n:]
			continue
		}
		at := strings.IndexByte(`"\/bfnrt`, s[0])
		if at < 0 {
			return b, false
		}
		b, s = append(b, "\"\\/\b\f\n\r\t"[at]), s[1:]
	}
}

// escapedRune decodes what follows a backslash that begins with u, and returns the number of bytes; 0 when it is no rune.
func escapedRune(s []byte) (r rune, n int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 5
	}
	if len(s) < 11 || s[5] != '\\' {
		return 0, 0
	}
	low, ok := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 11
}

// hex4 reads u and four digits.
func hex4(s []byte) (rune, bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s[1:5]), 16, 16)
	return rune(v), err == nil
}
