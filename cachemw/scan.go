package cachemw

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonSpace is the insignificant white space of RFC 8259 section 2.
const jsonSpace = " \t\n\r"

// maxDepth is how deep a value may be nested to be read at all. It bounds the stack.
const maxDepth = 256

// skipValue returns the index after the value that begins at src[i], and whether it is well formed (RFC 8259) and nested
// no deeper than depth allows.
func skipValue(src []byte, i, depth int) (int, bool) {
	if i >= len(src) {
		return i, false
	}
	switch c := src[i]; {
	case c == '"':
		return skipString(src, i)
	case c == '{' || c == '[':
		return skipContainer(src, i, depth)
	case c == '-' || isDigit(c):
		return skipNumber(src, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(src)-i >= len(word) && string(src[i:i+len(word)]) == word {
			return i + len(word), true
		}
	}
	return i, false
}

// skipContainer is skipValue for objects and arrays.
func skipContainer(src []byte, i, depth int) (int, bool) {
	if depth == 0 {
		return i, false
	}
	it := iterator{src: src, at: i + 1, index: -1, depth: depth - 1, closing: closing(src[i])}
	for it.next() {
	}
	return it.end, it.end > 0
}

// skipString is skipValue for strings. Bad UTF-8 and bad escapes are left to appendString to find.
func skipString(src []byte, i int) (int, bool) {
	for i++; i < len(src); i++ {
		if i = skipPlain(src, i); i >= len(src) {
			return i, false
		}
		switch c := src[i]; {
		case c == '"':
			return i + 1, true
		case c == '\\':
			i++
		case c < ' ':
			return i, false
		}
	}
	return i, false
}

// skipPlain returns an index from i on before which there is no quote, backslash or control character. It reads eight bytes
// at a time: subtracting borrows into the high bit of a byte that is below the bound, and the lowest such bit is exact.
func skipPlain(src []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(src); i += 8 {
		x := binary.LittleEndian.Uint64(src[i:])
		quote, backslash := x^(ones*'"'), x^(ones*'\\')
		special := ((x-ones*' ')&^x | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
		if special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	return i
}

// skipNumber is skipValue for numbers.
func skipNumber(src []byte, i int) (int, bool) {
	if src[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(src, i); i == start || src[start] == '0' && i > start+1 {
		return i, false
	}
	if i < len(src) && src[i] == '.' {
		start = i + 1
		if i = skipDigits(src, start); i == start {
			return i, false
		}
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		if i++; i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(src, start); i == start {
			return i, false
		}
	}
	return i, true
}

// skipDigits returns the index of the first byte from i on that is no digit.
func skipDigits(src []byte, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

// skipSpace returns the index of the first byte from i on that is no white space.
func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\t' || src[i] == '\r') {
		i++
	}
	return i
}

// isDigit reports whether c is a decimal digit.
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// iterator walks over the elements of an array or the members of an object, and checks that they are well formed.
type iterator struct {
	src     []byte
	at      int  // where to go on
	depth   int  // how deep the values may be nested
	index   int  // of the current element
	closing byte // the bracket that ends the container
	end     int  // the index after the container, once it has ended as it should

	key, value []byte // raw; key is nil in arrays
}

// elements returns an iterator over the array or object that begins at src[0].
func elements(src []byte) iterator {
	return iterator{src: src, at: 1, index: -1, depth: maxDepth, closing: closing(src[0])}
}

// closing returns the bracket that ends what the given one begins: in ASCII it comes two after it.
func closing(opening byte) byte { return opening + 2 }

// next moves to the next element. It reports false at the end, and early, with end still 0, for a malformed container.
func (it *iterator) next() bool {
	src, i, ok := it.src, skipSpace(it.src, it.at), true
	if i >= len(src) {
		return false
	}
	if src[i] == it.closing {
		it.end = i + 1
		return false
	}
	if it.index >= 0 {
		if src[i] != ',' {
			return false
		}
		i = skipSpace(src, i+1)
	}
	if it.closing == '}' {
		if i, ok = it.readKey(i); !ok {
			return false
		}
	}
	end, ok := skipValue(src, i, it.depth)
	if !ok {
		return false
	}
	it.value = src[i:end]
	it.at = end
	it.index++
	return true
}

// readKey reads the key that begins at src[i] and returns the index of its value.
func (it *iterator) readKey(i int) (int, bool) {
	if i >= len(it.src) || it.src[i] != '"' {
		return i, false
	}
	end, ok := skipString(it.src, i)
	if !ok {
		return end, false
	}
	it.key = it.src[i:end]
	i = skipSpace(it.src, end)
	if i >= len(it.src) || it.src[i] != ':' {
		return i, false
	}
	return skipSpace(it.src, i+1), true
}

// appendString appends the one spelling of a JSON string: only the quote, the backslash and control characters escaped.
// It reports false for bad UTF-8, unknown escapes and lone surrogates, which decoders read in different ways.
func appendString(dst, quoted []byte) ([]byte, bool) {
	body := quoted[1 : len(quoted)-1]
	if !utf8.Valid(body) {
		return dst, false
	}
	if bytes.IndexByte(body, '\\') < 0 {
		return append(dst, quoted...), true
	}
	dst = append(dst, '"')
	for i := 0; i < len(body); {
		if body[i] != '\\' {
			dst = append(dst, body[i])
			i++
			continue
		}
		r, size := unescape(body[i:])
		if size == 0 {
			return dst, false
		}
		dst = appendRune(dst, r)
		i += size
	}
	return append(dst, '"'), true
}

// unescape decodes the escape that s begins with. The size is 0 when there is none that stands for one character.
func unescape(s []byte) (r rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unescapeUnicode(s)
	}
	return 0, 0
}

// unescapeUnicode decodes \uXXXX, or two of them that make a surrogate pair.
func unescapeUnicode(s []byte) (r rune, size int) {
	r, ok := hex4(s, 2)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) < 12 || s[6] != '\\' || s[7] != 'u' {
		return 0, 0
	}
	low, ok := hex4(s, 8)
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// hex4 reads the four hexadecimal digits at s[i:].
func hex4(s []byte, i int) (rune, bool) {
	if len(s) < i+4 {
		return 0, false
	}
	var r rune
	for _, c := range s[i : i+4] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendRune appends one character of a string, escaped where JSON requires it.
func appendRune(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r < ' ':
		return append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
	}
	return utf8.AppendRune(dst, r)
}
