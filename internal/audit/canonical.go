package audit

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrJSON is wrapped by every error of AppendCanonical: the text is not one JSON value that has a canonical form.
var ErrJSON = errors.New("no canonical JSON")

// maxDepth is how deep arrays and objects may nest.
const maxDepth = 128

// AppendCanonical appends the canonical form of a JSON value, so that equal values have equal bytes whoever wrote them and
// whichever database kept them: no white space, members sorted by the bytes of their written keys, the shortest escapes,
// whole numbers of 64 bits as they are and every other number as RFC 8785 writes it (section 3.2.2.3).
//
// Duplicate keys, numbers beyond float64, ill-formed UTF-8 and nesting deeper than 128 are errors that wrap ErrJSON; dst is
// then returned as it was. It allocates nothing in the steady state.
func AppendCanonical(dst, src []byte) ([]byte, error) { return canonicalise(dst, src, nil) }

func canonicalise(dst, src []byte, r *Redactor) ([]byte, error) {
	c := canonPool.Get().(*canon)
	defer canonPool.Put(c)
	c.src, c.pos, c.redact = src, 0, r
	c.members, c.spare = c.members[:0], c.spare[:0]
	out, err := c.document(dst)
	c.src = nil
	if err != nil {
		return dst, fmt.Errorf("%w at byte %d: %w", ErrJSON, c.pos, err)
	}
	return out, nil
}

var canonPool = sync.Pool{New: func() any { return new(canon) }}

// The ways in which a JSON text can fail to have a canonical form.
var (
	errCut       = errors.New("unexpected end")
	errSyntax    = errors.New("unexpected character")
	errDuplicate = errors.New("duplicate key")
	errRange     = errors.New("number out of range")
	errDeep      = errors.New("nested too deeply")
	errText      = errors.New("ill-formed string")
	errTrailing  = errors.New("bytes after the value")
)

// canon reads src and appends its canonical form to a slice that is handed from method to method.
type canon struct {
	src     []byte
	pos     int
	depth   int
	redact  *Redactor // nil: nothing is redacted
	members []member  // a stack: the members of all open objects
	spare   []byte    // the sorted copy of one object's members
}

// member is where one member of an object was written: its key and its end.
type member struct{ start, keyEnd, end int }

func (c *canon) document(dst []byte) ([]byte, error) {
	c.depth = 0
	dst, err := c.value(dst)
	if err != nil {
		return dst, err
	}
	c.space()
	if c.pos != len(c.src) {
		return dst, errTrailing
	}
	return dst, nil
}

func (c *canon) space() {
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is no white space, 0 at the end.
func (c *canon) peek() byte {
	c.space()
	if c.pos == len(c.src) {
		return 0
	}
	return c.src[c.pos]
}

func (c *canon) value(dst []byte) ([]byte, error) {
	switch b := c.peek(); b {
	case '{':
		return c.nested(dst, c.object)
	case '[':
		return c.nested(dst, c.array)
	case '"':
		start := len(dst)
		dst, err := c.text(dst)
		if err == nil && c.redact != nil && c.redact.secretValue(dst[start+1:len(dst)-1]) {
			dst = append(dst[:start], redactedJSON...)
		}
		return dst, err
	case 't':
		return c.literal(dst, "true")
	case 'f':
		return c.literal(dst, "false")
	case 'n':
		return c.literal(dst, "null")
	case 0:
		return dst, errCut
	default:
		return c.number(dst)
	}
}

func (c *canon) nested(dst []byte, read func([]byte) ([]byte, error)) ([]byte, error) {
	if c.depth == maxDepth {
		return dst, errDeep
	}
	c.depth++
	c.pos++
	dst, err := read(dst)
	c.depth--
	return dst, err
}

func (c *canon) literal(dst []byte, word string) ([]byte, error) {
	if !bytes.HasPrefix(c.src[c.pos:], []byte(word)) {
		return dst, errSyntax
	}
	c.pos += len(word)
	return append(dst, word...), nil
}

func (c *canon) array(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for first := true; ; first = false {
		if c.peek() == ']' && first {
			c.pos++
			return append(dst, ']'), nil
		}
		var err error
		if dst, err = c.value(dst); err != nil {
			return dst, err
		}
		switch c.peek() {
		case ',':
			dst = append(dst, ',')
		case ']':
			c.pos++
			return append(dst, ']'), nil
		default:
			return dst, errSyntax
		}
		c.pos++
	}
}

// object writes the members in source order, each followed by a comma, and sorts them when the last one is read.
func (c *canon) object(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	base := len(c.members)
	defer func() { c.members = c.members[:base] }()
	for first := true; ; first = false {
		if c.peek() == '}' && first {
			break
		}
		var err error
		if dst, err = c.member(dst); err != nil {
			return dst, err
		}
		next := c.peek()
		if next == '}' {
			break
		}
		if next != ',' {
			return dst, errSyntax
		}
		c.pos++
	}
	c.pos++
	return c.sortMembers(dst, base)
}

func (c *canon) member(dst []byte) ([]byte, error) {
	if c.peek() != '"' {
		return dst, errSyntax
	}
	m := member{start: len(dst)}
	dst, err := c.text(dst)
	if err != nil {
		return dst, err
	}
	m.keyEnd = len(dst)
	if c.peek() != ':' {
		return dst, errSyntax
	}
	c.pos++
	dst = append(dst, ':')
	if dst, err = c.value(dst); err != nil {
		return dst, err
	}
	if c.redact != nil && c.redact.secretKey(dst[m.start+1:m.keyEnd-1]) {
		dst = append(append(dst[:m.keyEnd], ':'), redactedJSON...)
	}
	dst = append(dst, ',')
	m.end = len(dst)
	c.members = append(c.members, m)
	return dst, nil
}

// sortMembers puts the members since base in the order of their keys and closes the object.
func (c *canon) sortMembers(dst []byte, base int) ([]byte, error) {
	members := c.members[base:]
	if len(members) == 0 {
		return append(dst, '}'), nil
	}
	byKey := func(a, b member) int { return bytes.Compare(dst[a.start:a.keyEnd], dst[b.start:b.keyEnd]) }
	start := members[0].start
	if !slices.IsSortedFunc(members, byKey) {
		slices.SortFunc(members, byKey)
		if err := distinct(dst, members); err != nil {
			return dst, err
		}
		c.spare = c.spare[:0]
		for _, m := range members {
			c.spare = append(c.spare, dst[m.start:m.end]...)
		}
		copy(dst[start:], c.spare)
	} else if err := distinct(dst, members); err != nil {
		return dst, err
	}
	dst[len(dst)-1] = '}' // over the last comma
	return dst, nil
}

func distinct(dst []byte, members []member) error {
	for i := 1; i < len(members); i++ {
		a, b := members[i-1], members[i]
		if bytes.Equal(dst[a.start:a.keyEnd], dst[b.start:b.keyEnd]) {
			return errDuplicate
		}
	}
	return nil
}

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
