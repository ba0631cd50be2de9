package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
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
//
// Digests of the trail are over this form, so it cannot change. The keys of the response cache have a form of their own, for
// reasons that stand above cachemw's canonicaliser: numbers keep their spelling there, since a server may tell 1 from 1.0.
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
