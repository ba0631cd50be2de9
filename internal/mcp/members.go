package mcp

// members reads an object member by member, for whoever wants to know some of them:
//
//	m := members{s: s, depth: depth + 1}
//	for m.next() {
//		if string(m.key) == "id" {
//			id = m.raw()
//		}
//	}
//
// A value that nobody reads is skipped. What is no object has no members and is skipped as a whole; after a fault there
// are none either.
type members struct {
	s     *scanner
	f     fields
	key   []byte // its text, valid until the object ends
	depth int    // of the values
	at    int    // where the value at hand begins
	begun bool
}

// next goes on to the next member and reports whether there is one.
func (m *members) next() bool {
	s, i, more := m.s, 0, false
	if m.begun {
		i, more = s.next(m.at, m.depth, '}')
	} else {
		m.begun = true
		m.f.base, m.f.text = len(s.keys), len(s.text)
		i, more = s.begin(m.depth-1, '{', '}')
	}
	if !more {
		s.i = i
		s.close(&m.f)
		return false
	}
	i, from, size := s.key(i, &m.f)
	s.i, m.at, m.key = i, i, s.textOf(from, size)
	return s.err == nil
}

// raw reads the value at hand and returns its bytes, nil after a fault.
func (m *members) raw() []byte { return m.s.raw(m.depth) }

// items reads an array item by item, as members does with an object.
type items struct {
	s     *scanner
	depth int // of the items
	at    int // where the item at hand begins
	begun bool
}

// next goes on to the next item and reports whether there is one.
func (n *items) next() bool {
	s, more := n.s, false
	if n.begun {
		n.at, more = s.next(n.at, n.depth, ']')
	} else {
		n.begun = true
		n.at, more = s.begin(n.depth-1, '[', ']')
	}
	s.i = n.at
	return more
}

// raw reads the item at hand and returns its bytes, nil after a fault.
func (n *items) raw() []byte { return n.s.raw(n.depth) }

// begin takes the bracket of the object or array at hand. It returns the index after it and whether something is in
// there. What is neither is skipped.
func (s *scanner) begin(depth int, opening, closing byte) (int, bool) {
	i := s.space(s.i)
	if i >= len(s.b) || s.b[i] != opening {
		return s.value(i, depth), false
	}
	if depth > MaxDepth {
		return s.fail(errDepth), false
	}
	if i = s.space(i + 1); i < len(s.b) && s.b[i] == closing {
		return i + 1, false
	}
	return i, true
}

// next takes the value that begins at an index, if nobody did, and what follows it: a comma, or the bracket that closes
// the object or array. It returns the index after it and whether another value is due.
func (s *scanner) next(at, depth int, closing byte) (int, bool) {
	i := s.i
	if i == at {
		i = s.value(i, depth)
	}
	if i = s.space(i); i < len(s.b) {
		switch s.b[i] {
		case ',':
			return s.space(i + 1), true
		case closing:
			return i + 1, false
		}
	}
	return s.fail(errSyntax), false
}
