package mcp

import (
	"bytes"
	"math/bits"
	"unicode/utf8"
)

// A word of eight bytes that are all the same is one byte times ones.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080 // the highest bit of each byte
)

// special sets the highest bit of each byte of w that needs a look in a string: quote, backslash, control or multi-byte.
// Each subtraction borrows into the highest bit of a byte that is below what is taken off, and such a byte is one to look
// at. From there the borrow goes on into the bytes above, so that only the lowest mark can be relied on.
func special(w uint64) uint64 {
	return (w | (w - ones*' ') | (w ^ ones*'"' - ones) | (w ^ ones*'\\' - ones)) & highs
}

// lowest returns the index of the lowest byte that special marked.
func lowest(marks uint64) int { return bits.TrailingZeros64(marks) / 8 }

// str scans the string whose opening quote is at i. It reads those that end within two words and calls nothing but as its
// last step, so that all it knows stays in registers: the same goes for key.
func (s *scanner) str(i int) int {
	b := s.b
	i++
	if i+16 > len(b) {
		return s.longStr(i)
	}
	marks := special(full(b, i))
	if marks == 0 {
		if i += 8; i+8 <= len(b) { // as is known already, but not to the compiler
			marks = special(full(b, i))
		}
	}
	if marks == 0 {
		return s.longStr(i)
	}
	if i += lowest(marks); i < len(b) && b[i] == '"' {
		return i + 1
	}
	return s.longStr(i)
}

// longStr scans the rest of a string.
func (s *scanner) longStr(i int) int {
	i, _ = s.rich(plain(s.b, i))
	return i
}

// plain returns the index of the first byte from i on that needs a look in a string, or of the end.
func plain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if marks := special(full(b, i)); marks != 0 {
			return i + lowest(marks)
		}
	}
	return i + lowest(special(lastWord(b, i)))
}

// rich scans the rest of a string, from a byte on that needs a look. It returns the index after the closing quote and
// whether there were escapes.
func (s *scanner) rich(i int) (end int, escaped bool) {
	b := s.b
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			i = s.escape(i)
		case c >= utf8.RuneSelf:
			i = s.wide(i)
		default:
			return s.fail(errSyntax), false
		}
		i = plain(b, i)
	}
	return s.fail(errSyntax), false
}

// wide scans characters beyond ASCII. It looks at all bytes of one at once (RFC 3629, section 4): the lead and the
// continuations must have their marks, and the bits that they carry must not fit a shorter form, be a surrogate or lie
// beyond Unicode. The masks are those of yyjson.
func (s *scanner) wide(i int) int {
	b := s.b
	for i < len(b) && b[i] >= utf8.RuneSelf {
		switch w := uint32(word(b, i)); { // #nosec G115 -- four bytes are all that a character has
		case w&0x00c0c0f0 == 0x008080e0 && w&0x200f != 0 && w&0x200f != 0x200d:
			i += 3
		case w&0xc0e0 == 0x80c0 && w&0x1e != 0:
			i += 2
		case w&0xc0c0c0f8 == 0x808080f0 && w&0x3007 != 0 && (w&0x04 == 0 || w&0x3003 == 0):
			i += 4
		default:
			return s.fail(errUTF8)
		}
	}
	return i
}

// escape checks the escape that begins at i and returns the index after it; a surrogate pair counts as one.
func (s *scanner) escape(i int) int {
	b := s.b
	if i+1 >= len(b) {
		return s.fail(errSyntax)
	}
	if b[i+1] != 'u' {
		if escapes[b[i+1]] == 0 {
			return s.fail(errSyntax)
		}
		return i + 2
	}
	r, ok := hex4(b, i+2)
	if !ok {
		return s.fail(errSyntax)
	}
	i += 6
	if r < 0xd800 || r > 0xdfff {
		return i
	}
	if r < 0xdc00 && i+1 < len(b) && b[i] == '\\' && b[i+1] == 'u' {
		if low, ok := hex4(b, i+2); ok && low >= 0xdc00 && low <= 0xdfff {
			return i + 6
		}
	}
	s.note(errSurrogate)
	return i
}

// hex4 reads four hexadecimal digits at i.
func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c-'0' < 10:
			r = r<<4 | rune(c-'0')
		case (c|0x20)-'a' < 6:
			r = r<<4 | rune((c|0x20)-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// appendUnescaped appends the text that a scanned string stands for.
func appendUnescaped(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch e := raw[i+1]; e {
		case 'u':
			r, _ := hex4(raw, i+2)
			i += 6
			if r >= 0xd800 && r < 0xdc00 && i+6 <= len(raw) {
				if low, ok := hex4(raw, i+2); ok && raw[i] == '\\' && low >= 0xdc00 && low <= 0xdfff {
					r = (r-0xd800)<<10 | (low - 0xdc00) + 0x10000
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, escapes[e])
			i += 2
		}
	}
	return dst
}

// escapes maps the letter after a backslash to the byte that it stands for, 0 for one that is no escape.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// text returns the text of a raw JSON string: aliased when it holds no escapes, copied otherwise. nil for anything else.
func text(raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return appendUnescaped(make([]byte, 0, len(raw)), raw)
}
