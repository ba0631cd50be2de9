package mcp

import (
	"encoding/binary"
	"sync"
)

// MaxDepth is how deep objects and arrays may nest in a message.
const MaxDepth = 64

// scanner validates JSON in one pass: grammar (RFC 8259), UTF-8, depth, and unique keys in every object. Faults of meaning
// (duplicate keys, lone surrogates) are remembered in soft and scanning goes on, so that the id of the message is found
// and a refusal can carry it; faults of grammar end the scan.
//
// The functions that read take the index of the next byte and return the index after what they read, so that it stays in
// a register. A fault of grammar is remembered and answered with the end of the body, where nobody finds anything more:
// no function need ask another whether it went well, and whoever reads a document asks end, once.
type scanner struct {
	b    []byte
	i    int   // of the next byte, where readers of a message meet; see members
	err  error // the fault of grammar that ended the scan
	soft error // the first fault of meaning

	keys  []key  // of all open objects, innermost last
	text  []byte // holds the text of the keys that had escapes
	spare *table // for the next object with many keys
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

func acquireScanner(b []byte) *scanner {
	s := scanners.Get().(*scanner)
	s.b, s.i, s.err, s.soft, s.keys, s.text = b, 0, nil, nil, s.keys[:0], s.text[:0]
	return s
}

// maxPooledKeys and maxPooledText bound what a scanner keeps for the next message, in keys and bytes.
const (
	maxPooledKeys = 256
	maxPooledText = 4096
)

func releaseScanner(s *scanner) {
	s.b = nil
	if cap(s.keys) > maxPooledKeys {
		s.keys = nil
	}
	if cap(s.text) > maxPooledText {
		s.text = nil
	}
	if s.spare != nil && cap(s.spare.slots) > 4*maxPooledKeys {
		s.spare = nil
	}
	scanners.Put(s)
}

// skip scans the value at hand with all that is in it.
func (s *scanner) skip(depth int) { s.i = s.value(s.i, depth) }

// raw scans the value at hand and returns its bytes, nil after a fault.
func (s *scanner) raw(depth int) []byte {
	from := s.i
	s.skip(depth)
	return s.since(from)
}

// since returns the bytes from an index on to the byte at hand, nil after a fault.
func (s *scanner) since(from int) []byte {
	if s.err != nil {
		return nil
	}
	return s.b[from:s.i]
}

// peek skips white space and returns the byte that follows, without taking it: 0 at the end.
func (s *scanner) peek() byte {
	s.i = s.space(s.i)
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// end returns what is wrong with the grammar of the document that was read, which is also that something follows it.
func (s *scanner) end() error {
	if s.i = s.space(s.i); s.i != len(s.b) {
		s.fail(errTrailing)
	}
	return s.err
}

// verdict returns what is wrong with the document that was read, in grammar or in meaning.
func (s *scanner) verdict() error {
	if err := s.end(); err != nil {
		return err
	}
	return s.soft
}

// fail remembers the first fault of grammar and returns the end of the body.
func (s *scanner) fail(err error) int {
	if s.err == nil {
		s.err = err
	}
	return len(s.b)
}

// note remembers the first fault of meaning.
func (s *scanner) note(err error) {
	if s.soft == nil {
		s.soft = err
	}
}

// value scans the value that begins at i.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.b) {
		return s.fail(errSyntax)
	}
	switch s.b[i] {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, depth)
	case '[':
		return s.array(i, depth)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number(i)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	}
	return s.fail(errSyntax)
}

// object scans the object that begins at i.
func (s *scanner) object(i, depth int) int {
	if depth > MaxDepth {
		return s.fail(errDepth)
	}
	b := s.b
	if i = s.space(i + 1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	f := fields{base: len(s.keys), text: len(s.text)}
	for {
		i, _, _ = s.key(i, &f)
		if i < len(b) && b[i] == '"' { // as most values are
			i = s.str(i)
		} else {
			i = s.value(i, depth+1)
		}
		if i = s.space(i); i >= len(b) {
			return s.fail(errSyntax)
		}
		switch b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			s.close(&f)
			return i + 1
		default:
			return s.fail(errSyntax)
		}
	}
}

// array scans the array that begins at i.
func (s *scanner) array(i, depth int) int {
	if depth > MaxDepth {
		return s.fail(errDepth)
	}
	b := s.b
	if i = s.space(i + 1); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		i = s.value(i, depth+1)
		if i = s.space(i); i >= len(b) {
			return s.fail(errSyntax)
		}
		switch b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(errSyntax)
		}
	}
}

// space skips white space.
func (s *scanner) space(i int) int {
	if i < len(s.b) && s.b[i] > ' ' {
		return i
	}
	return skipSpace(s.b, i)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

func (s *scanner) literal(i int, word string) int {
	if end := i + len(word); end <= len(s.b) && string(s.b[i:end]) == word {
		return end
	}
	return s.fail(errSyntax)
}

// number scans a number.
func (s *scanner) number(i int) int {
	b := s.b
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	if i = digits(b, i); i > first && b[first] == '0' {
		i = first + 1 // nothing goes before other digits
	}
	good := i > first
	if i < len(b) && b[i] == '.' {
		first = i + 1
		i = digits(b, first)
		good = good && i > first
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		first = i
		i = digits(b, first)
		good = good && i > first
	}
	if !good {
		return s.fail(errSyntax)
	}
	return i
}

// digits returns the index of the first byte from i on that is no digit.
func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	return i
}

// word returns the eight bytes from i on, the first one lowest. Bytes behind the end are zero: a control character, at
// which every reader stops.
func word(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return full(b, i)
	}
	return lastWord(b, i)
}

// full is word where eight bytes are known to be left. With all three indices the compiler asks for no more than that.
func full(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8 : i+8]) }

func lastWord(b []byte, i int) uint64 {
	if last := len(b) - 8; last >= 0 {
		return full(b, last) >> (8 * uint(i-last)) // #nosec G115 -- i is behind last: from 64 on, nothing is left
	}
	var w uint64
	for at := len(b) - 1; at >= i; at-- {
		w = w<<8 | uint64(b[at])
	}
	return w
}
