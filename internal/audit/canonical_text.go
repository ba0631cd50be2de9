package audit

import (
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string and writes it with the shortest escapes.
func (c *canon) text(dst []byte) ([]byte, error) {
	dst = append(dst, '"')
	for i := c.pos + 1; i < len(c.src); {
		b := c.src[i]
		switch {
		case b == '"':
			c.pos = i + 1
			return append(dst, '"'), nil
		case b == '\\':
			r, size, err := unescape(c.src[i:])
			if err != nil {
				return dst, err
			}
			dst = appendRune(dst, r)
			i += size
		case b < ' ':
			return dst, errText
		case b < utf8.RuneSelf:
			dst = append(dst, b)
			i++
		default:
			r, size := utf8.DecodeRune(c.src[i:])
			if r == utf8.RuneError && size == 1 {
				return dst, errText
			}
			dst = append(dst, c.src[i:i+size]...)
			i += size
		}
	}
	return dst, errCut
}

func appendRune(dst []byte, r rune) []byte {
	if r < utf8.RuneSelf {
		return appendQuotedByte(dst, byte(r)) //nolint:gosec // ASCII
	}
	return utf8.AppendRune(dst, r)
}

// unescape reads the escape at the beginning of s and says how long it is.
func unescape(s []byte) (r rune, size int, err error) {
	if len(s) < 2 {
		return 0, 0, errCut
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2, nil
	case 'b':
		return '\b', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'u':
		return unescapeUnicode(s)
	}
	return 0, 0, errText
}

func unescapeUnicode(s []byte) (rune, int, error) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0, errText
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	low, ok := hex4(s[6:])
	if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
		return pair, 12, nil
	}
	return 0, 0, errText // a lone surrogate names no character
}

// hex4 reads \uXXXX.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, b := range s[2:6] {
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b >= 'a' && b <= 'f':
			b -= 'a' - 10
		case b >= 'A' && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	return r, true
}
