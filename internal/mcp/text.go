package mcp

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// str scans a string and returns the bytes between its quotes, and whether they hold escapes.
func (s *scanner) str() (raw []byte, escaped bool, err error) {
	b, start := s.b, s.i+1
	i := start
	if len(b)-i >= 8 { // most strings end within the first word, which is looked at without a call
		if look := special(binary.LittleEndian.Uint64(b[i:])); look != 0 {
			i += bits.TrailingZeros64(look) / 8
		} else {
			i = skipPlain(b, i+8)
		}
	} else {
		i = skipPlain(b, i)
	}
	if i < len(b) && b[i] == '"' {
		s.i = i + 1
		return b[start:i], false, nil
	}
	return s.rich(start, i)
}

// special sets the highest bit of each byte of w that needs a look in a string; below the first one it is exact.
func special(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return (w | (w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
}

// rich scans the rest, from i on, of a string that has escapes, bytes beyond ASCII or a fault.
func (s *scanner) rich(start, i int) (raw []byte, escaped bool, err error) {
	b, wide := s.b, false
	for ; i < len(b); i = skipPlain(b, i) {
		switch c := b[i]; {
		case c == '"':
			raw = b[start:i]
			if wide && !utf8.Valid(raw) {
				return nil, false, errUTF8
			}
			s.i = i + 1
			return raw, escaped, nil
		case c == '\\':
			escaped = true
			if i, err = s.escape(i); err != nil {
				return nil, false, err
			}
		case c >= utf8.RuneSelf:
			wide = true
			for i < len(b) && b[i] >= utf8.RuneSelf {
				i++
			}
		default:
			return nil, false, errSyntax
		}
	}
	return nil, false, errSyntax
}

// skipPlain returns the index of the first byte from i on that needs a look in a string: quote, backslash, control or
// multi-byte. It reads eight bytes at a time; below the first byte that needs a look the bit tricks are exact.
func skipPlain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if look := special(binary.LittleEndian.Uint64(b[i:])); look != 0 {
			return i + bits.TrailingZeros64(look)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// escape checks the escape that begins at i and returns the index after it; a surrogate pair counts as one.
func (s *scanner) escape(i int) (int, error) {
	b := s.b
	if i+1 >= len(b) {
		return 0, errSyntax
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		r, ok := hex4(b, i+2)
		if !ok {
			return 0, errSyntax
		}
		i += 6
		if r < 0xd800 || r > 0xdfff {
			return i, nil
		}
		if r < 0xdc00 && i+1 < len(b) && b[i] == '\\' && b[i+1] == 'u' {
			if low, ok := hex4(b, i+2); ok && low >= 0xdc00 && low <= 0xdfff {
				return i + 6, nil
			}
		}
		s.note(errSurrogate)
		return i, nil
	}
	return 0, errSyntax
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

// escapes maps the letter after a backslash to the byte that it stands for.
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
