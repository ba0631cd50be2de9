package mcp

import "sync"

// MaxDepth is how deep objects and arrays may nest in a message.
const MaxDepth = 64

// scanner validates JSON in one pass: grammar (RFC 8259), UTF-8, depth, and unique keys in every object. Faults of meaning
// (duplicate keys, lone surrogates) are remembered in soft and scanning goes on, so that the id of the message is found
// and a refusal can carry it; faults of grammar end the scan.
type scanner struct {
	b    []byte
	i    int
	soft error
	keys [][]byte // the unescaped keys of all open objects, innermost last
	text []byte   // holds the keys that had escapes
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

func acquireScanner(b []byte) *scanner {
	s := scanners.Get().(*scanner)
	s.b, s.i, s.soft, s.keys, s.text = b, 0, nil, s.keys[:0], s.text[:0]
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
	scanners.Put(s)
}

// document scans one value with nothing but white space around it.
func (s *scanner) document() error {
	s.next()
	if err := s.value(1); err != nil {
		return err
	}
	return s.end()
}

// end reports bytes after the value.
func (s *scanner) end() error {
	s.next()
	if s.i != len(s.b) {
		return errTrailing
	}
	return nil
}

// next skips white space and returns the byte that follows, without taking it: 0 at the end.
func (s *scanner) next() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	return s.skipSpace()
}

func (s *scanner) skipSpace() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// peek returns the byte at hand without taking it: 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		_, _, err := s.str()
		return err
	case c == '{':
		return s.object(depth, nil)
	case c == '[':
		return s.array(depth, nil)
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	return errSyntax
}

// object scans an object. visit, when not nil, is called at the start of each value with the unescaped key and must scan
// the value.
func (s *scanner) object(depth int, visit func(s *scanner, key []byte, depth int) error) error {
	if depth > MaxDepth {
		return errDepth
	}
	s.i++
	base, textBase := len(s.keys), len(s.text)
	var seen map[string]struct{} // made once the object has many keys
	var marks uint64             // of the keys so far; a key with a mark of its own is no duplicate
	c := s.next()
	if c == '}' {
		s.i++
		return nil
	}
	for {
		if c != '"' {
			return errSyntax
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		mark := markOf(key)
		if marks&mark == 0 && len(s.keys)-base < linearKeys {
			s.keys = append(s.keys, key)
		} else {
			seen = s.unique(base, key, seen)
		}
		marks |= mark
		if s.next() != ':' {
			return errSyntax
		}
		s.i++
		s.next()
		if visit == nil {
			err = s.value(depth + 1)
		} else {
			err = visit(s, key, depth+1)
		}
		if err != nil {
			return err
		}
		c = s.next()
		s.i++
		switch c {
		case ',':
			c = s.next()
		case '}':
			s.keys, s.text = s.keys[:base], s.text[:textBase]
			return nil
		default:
			return errSyntax
		}
	}
}

// array scans an array. visit, when not nil, is called at the start of each element and must scan it.
func (s *scanner) array(depth int, visit func(s *scanner, depth int) error) error {
	if depth > MaxDepth {
		return errDepth
	}
	s.i++
	if s.next() == ']' {
		s.i++
		return nil
	}
	for {
		var err error
		if visit == nil {
			err = s.value(depth + 1)
		} else {
			err = visit(s, depth+1)
		}
		if err != nil {
			return err
		}
		c := s.next()
		s.i++
		switch c {
		case ',':
			s.next()
		case ']':
			return nil
		default:
			return errSyntax
		}
	}
}

// note remembers the first fault of meaning.
func (s *scanner) note(err error) {
	if s.soft == nil {
		s.soft = err
	}
}

func (s *scanner) literal(word string) error {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return errSyntax
	}
	s.i += len(word)
	return nil
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return errSyntax
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return errSyntax
		}
	}
	if s.peek()|0x20 == 'e' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' < 10 {
		s.i++
	}
	return s.i > from
}
