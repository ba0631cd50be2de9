package mcp

// masking is one pass of a mask over a message.
type masking struct {
	edits
	m    *Mask
	s    *scanner
	gone []string // texts that were taken out
}

// arguments reads a request, for the arguments in its params.
func (e *masking) arguments() {
	m := members{s: e.s, depth: 2}
	for m.next() {
		if string(m.key) != "params" {
			continue
		}
		p := members{s: e.s, depth: m.depth + 1}
		for p.next() {
			if string(p.key) == "arguments" {
				e.value(p.depth, e.m.starts, false)
			}
		}
	}
}

// message reads a message of a server.
func (e *masking) message() {
	if e.s.peek() != '{' {
		e.s.i = e.s.fail(errNotObject)
		return
	}
	m := members{s: e.s, depth: 2}
	for m.next() {
		switch string(m.key) {
		case "result", "params", "error":
			e.loose(m.depth)
		default:
			e.s.fold(m.key, envelopeKeys)
		}
	}
}

// value reads a value that paths may lead into: at are the steps that come next. whole masks all of it.
func (e *masking) value(depth int, at []int, whole bool) {
	for _, p := range at {
		whole = whole || e.m.steps[p].end
	}
	switch e.s.peek() {
	case '{':
		m := members{s: e.s, depth: depth + 1}
		for m.next() {
			e.value(m.depth, e.below(at, string(m.key), -1), whole)
		}
	case '[':
		index := 0
		n := items{s: e.s, depth: depth + 1}
		for n.next() {
			e.value(n.depth, e.below(at, "", index), whole)
			index++
		}
	default:
		e.leaf(depth, whole)
	}
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
func (e *masking) leaf(depth int, whole bool) {
	from := e.s.i
	raw := e.s.raw(depth)
	to := e.s.i
	switch {
	case len(raw) == 0 || raw[0] == 'n':
	case raw[0] == '"' && whole:
		e.take(text(raw))
		e.replace(from, to, `"`+Masked+`"`)
	case raw[0] == '"':
		e.pattern(from, to, text(raw))
	case whole && (raw[0] == 't' || raw[0] == 'f'):
		e.take(raw)
		e.replace(from, to, "false")
	case raw[0] != 't' && raw[0] != 'f' && (whole || e.m.Matches(raw)):
		e.take(raw)
		e.replace(from, to, "0")
	}
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
func (e *masking) loose(depth int) {
	switch e.s.peek() {
	case '{':
		m := members{s: e.s, depth: depth + 1}
		for m.next() {
			e.looseMember(&m)
		}
	case '[':
		n := items{s: e.s, depth: depth + 1}
		for n.next() {
			e.loose(n.depth)
		}
	default:
		e.leaf(depth, false)
	}
}

func (e *masking) looseMember(m *members) {
	quoted := e.s.peek() == '"'
	switch key := string(m.key); {
	case key == "structuredContent", !quoted && (key == "data" || key == "blob"):
		e.value(m.depth, e.m.starts, false)
	case quoted && key == "text":
		e.text(m)
	case key == "data", key == "blob":
		if raw := m.raw(); len(raw) > len(`""`) {
			e.replace(m.at, e.s.i, `""`)
		}
	default:
		e.s.fold(m.key, resultFields)
		e.loose(m.depth)
	}
}

// resultFields are the keys by which documents are found in a result.
var resultFields = []string{"structuredContent", "text", "data", "blob", "content", "contents", "messages"}

// text reads a text that may be a document.
func (e *masking) text(m *members) {
	raw := m.raw()
	if raw == nil {
		return
	}
	plain, to := text(raw), e.s.i
	if out, err := e.m.document(plain); err == nil {
		if string(out) != string(plain) {
			e.replace(m.at, to, string(AppendString(nil, string(out))))
		}
		return
	}
	if len(e.m.starts) > 0 {
		if len(plain) > 0 {
			e.replace(m.at, to, `"`+Masked+`"`)
		}
		return
	}
	e.pattern(m.at, to, plain)
}

// document masks a text that is a JSON object or array; any other is an error.
func (m *Mask) document(text []byte) ([]byte, error) {
	s := acquireScanner(text)
	first := s.peek()
	releaseScanner(s)
	if first != '{' && first != '[' {
		return nil, errNotObject
	}
	return m.Value(text)
}
