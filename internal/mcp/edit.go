package mcp

import "strings"

// edit replaces message[from:to] by text.
type edit struct {
	from, to int
	text     string
}

// edits are the changes to a message, in its order. All bytes between them stay as they are.
type edits []edit

// apply appends the message with the edits made.
func (e edits) apply(dst, message []byte) []byte {
	from := 0
	for _, change := range e {
		dst = append(append(dst, message[from:change.from]...), change.text...)
		from = change.to
	}
	return append(dst, message[from:]...)
}

// replace puts text in the place of message[from:to].
func (e *edits) replace(from, to int, text string) {
	*e = append(*e, edit{from, to, text})
}

// cut removes message[from:to], joined with the cut before it when they touch.
func (e *edits) cut(from, to int) {
	if from == to {
		return
	}
	if n := len(*e); n > 0 && (*e)[n-1].to == from && (*e)[n-1].text == "" {
		(*e)[n-1].to = to
		return
	}
	e.replace(from, to, "")
}

// items reads an array and cuts out the items that keep refuses or that have no id, each with the comma before it; what
// goes at the front takes the comma after it.
func (e *edits) items(s *scanner, idKey string, depth int, keep func(id string, item []byte) bool) (n Filtered) {
	last := 0 // the end of the item before
	list := items{s: s, depth: depth + 1}
	for list.next() {
		start := list.at
		id, ok := itemID(s, idKey, list.depth)
		item := s.since(start)
		if item == nil {
			return n
		}
		if n.Items == 0 {
			last = start
		}
		switch {
		case !ok || !keep(id, item):
			e.cut(last, s.i)
		case n.Kept == 0:
			e.cut(last, start)
			n.Kept++
		default:
			n.Kept++
		}
		n.Items++
		last = s.i
	}
	return n
}

// itemID scans one item and returns the text of its identifying member.
func itemID(s *scanner, idKey string, depth int) (id string, ok bool) {
	sole := true
	m := members{s: s, depth: depth + 1}
	for m.next() {
		switch {
		case string(m.key) == idKey:
			raw := m.raw()
			id, ok = String(raw), len(raw) > 0 && raw[0] == '"'
		case strings.EqualFold(Text(m.key), idKey):
			sole = false
		}
	}
	return id, ok && sole
}
