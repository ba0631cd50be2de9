package mcp

// masking is one pass of a mask over a message.
type masking struct {
	edits
	m    *Mask
	gone []string // texts that were taken out
}

// member reads an object, and the member of one name with read.
func (e *masking) member(s *scanner, depth int, name string, read func(*scanner, int) error) error {
	if s.peek() != '{' {
		return s.value(depth)
	}
	return s.object(depth, func(s *scanner, key []byte, depth int) error {
		if string(key) == name {
			return read(s, depth)
		}
		return s.value(depth)
	})
}

// value reads a value that paths may lead into: at are the steps that come next. whole masks all of it.
func (e *masking) value(s *scanner, depth int, at []int, whole bool) error {
	for _, p := range at {
		whole = whole || e.m.steps[p].end
	}
	switch s.peek() {
	case '{':
		return s.object(depth, func(s *scanner, key []byte, depth int) error {
			return e.value(s, depth, e.below(at, string(key), -1), whole)
		})
	case '[':
		n := -1
		return s.array(depth, func(s *scanner, depth int) error {
			n++
			return e.value(s, depth, e.below(at, "", n), whole)
		})
	}
	return e.leaf(s, depth, whole)
}

// below returns the steps that come next after one to a member or an item.
func (e *masking) below(at []int, key string, index int) []int {
	var next []int
	for _, p := range at {
		step := &e.m.steps[p]
		if step.end {
			continue
		}
		if step.deep {
			next = append(next, p)
		}
		if step.leads(key, index) {
			next = append(next, p+1)
		}
	}
	return next
}

// leaf reads a text, a number or a word.
func (e *masking) leaf(s *scanner, depth int, whole bool) error {
	from := s.i
	if err := s.value(depth); err != nil {
		return err
	}
	raw := s.b[from:s.i]
	switch {
	case len(raw) == 0 || raw[0] == 'n':
	case raw[0] == '"' && whole:
		e.take(text(raw))
		e.replace(from, s.i, `"`+Masked+`"`)
	case raw[0] == '"':
		e.pattern(from, s.i, text(raw))
	case whole && (raw[0] == 't' || raw[0] == 'f'):
		e.take(raw)
		e.replace(from, s.i, "false")
	case raw[0] != 't' && raw[0] != 'f' && (whole || e.m.Matches(raw)):
		e.take(raw)
		e.replace(from, s.i, "0")
	}
	return nil
}

func (e *masking) take(text []byte) { e.gone = append(e.gone, string(text)) }

// pattern masks the matches in the text of the string that stands between two places.
func (e *masking) pattern(from, to int, plain []byte) {
	if !e.m.Matches(plain) {
		return
	}
	e.take(plain)
	for _, re := range e.m.patterns {
		plain = re.ReplaceAllLiteral(plain, []byte(Masked))
	}
	e.replace(from, to, string(AppendString(nil, string(plain))))
}

// loose reads a value of a message that is no document of a tool itself, and may hold some.
func (e *masking) loose(s *scanner, depth int) error {
	switch s.peek() {
	case '{':
		return s.object(depth, e.looseMember)
	case '[':
		return s.array(depth, e.loose)
	}
	return e.leaf(s, depth, false)
}

func (e *masking) looseMember(s *scanner, key []byte, depth int) error {
	quoted := s.peek() == '"'
	switch string(key) {
	case "structuredContent":
		return e.value(s, depth, e.m.starts, false)
	case "text":
		if quoted {
			return e.text(s, depth)
		}
	case "data", "blob":
		if !quoted {
			return e.value(s, depth, e.m.starts, false)
		}
		from := s.i
		err := s.value(depth)
		if err == nil && s.i-from > 2 {
			e.replace(from, s.i, `""`)
		}
		return err
	}
	s.fold(key, resultFields)
	return e.loose(s, depth)
}

// resultFields are the keys by which documents are found in a result.
var resultFields = []string{"structuredContent", "text", "data", "blob", "content", "contents", "messages"}

// text reads a text that may be a document.
func (e *masking) text(s *scanner, depth int) error {
	from := s.i
	if err := s.value(depth); err != nil {
		return err
	}
	plain := text(s.b[from:s.i])
	if out, err := e.m.document(plain); err == nil {
		if string(out) != string(plain) {
			e.replace(from, s.i, string(AppendString(nil, string(out))))
		}
		return nil
	}
	if len(e.m.starts) > 0 {
		if len(plain) > 0 {
			e.replace(from, s.i, `"`+Masked+`"`)
		}
		return nil
	}
	e.pattern(from, s.i, plain)
	return nil
}

// document masks a text that is a JSON object or array; any other is an error.
func (m *Mask) document(text []byte) ([]byte, error) {
	s := acquireScanner(text)
	first := s.next()
	releaseScanner(s)
	if first != '{' && first != '[' {
		return nil, errNotObject
	}
	return m.Value(text)
}
