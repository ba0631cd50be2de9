package mcp

import (
	"fmt"
	"strconv"
	"time"
)

// Layout is where those parts of a result stand that are another each time it is given out: what is left of its lifetime,
// and the items of a list. It is read once from a result that is kept, so that giving it out costs no reading. It never
// changes, and says nothing about who may see what.
type Layout struct {
	parts   []part
	listed  bool
	mirrors bool
}

// part is one of these parts, result[from:to].
type part struct {
	kind     partKind
	first    bool // of its list
	list, id string
	ttl      time.Duration
	from, to int
}

type partKind uint8

const (
	partItem    partKind = iota
	partUnnamed          // an item that cannot be identified
	partNull             // a list that is null
	partPublic           // a cacheScope that is public
	partTTL
)

// partSize is what a part takes in bytes, its id apart.
const partSize = 80

// maxTTL is the longest lifetime that is counted down.
const maxTTL = 365 * 24 * time.Hour

// ReadLayout reads a result, as strictly as FilterList reads a message.
func ReadLayout(result []byte) (*Layout, error) {
	s := acquireScanner(result)
	defer releaseScanner(s)
	if s.peek() != '{' {
		return nil, fmt.Errorf("read result: %w", errNotObject)
	}
	l := &Layout{mirrors: MayMirror(result)}
	l.read(s)
	if err := s.verdict(); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	return l, nil
}

func (l *Layout) read(s *scanner) {
	m := members{s: s, depth: 3} // as within its message
	for m.next() {
		idKey, isList := lists[string(m.key)]
		switch {
		case isList:
			l.list(&m, string(m.key), idKey)
		case string(m.key) == "cacheScope":
			if string(text(m.raw())) == "public" {
				l.parts = append(l.parts, part{kind: partPublic, from: m.at, to: s.i})
			}
		case string(m.key) == "ttlMs":
			if ttl, ok := wholeMilliseconds(m.raw()); ok {
				l.parts = append(l.parts, part{kind: partTTL, ttl: ttl, from: m.at, to: s.i})
			}
		default:
			s.fold(m.key, resultKeys)
		}
	}
}

// list reads the value of a list key: an array, or null.
func (l *Layout) list(m *members, list, idKey string) {
	s := m.s
	l.listed = true
	if s.peek() != '[' {
		if string(m.raw()) != "null" {
			s.i = s.fail(errNotList)
			return
		}
		l.parts = append(l.parts, part{kind: partNull, from: m.at, to: s.i})
		return
	}
	all := items{s: s, depth: m.depth + 1}
	for first := true; all.next(); first = false {
		p := part{kind: partUnnamed, first: first, list: list, from: all.at}
		if id, ok := itemID(s, idKey, all.depth); ok {
			p.kind, p.id = partItem, id
		}
		p.to = s.i
		l.parts = append(l.parts, p)
	}
}

// wholeMilliseconds reads a plain decimal integer.
func wholeMilliseconds(raw []byte) (time.Duration, bool) {
	n, err := strconv.ParseUint(Text(raw), 10, 64)
	if err != nil && len(raw) < 20 || len(raw) == 0 {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	return time.Duration(min(n, uint64(maxTTL.Milliseconds()))) * time.Millisecond, true // #nosec G115 -- a year at most
}

// MayMirror is MayMirror of the result.
func (l *Layout) MayMirror() bool { return l.mirrors }

// Size is what the layout takes in bytes, about. That of nil is 0.
func (l *Layout) Size() int {
	if l == nil {
		return 0
	}
	n := partSize * len(l.parts)
	for i := range l.parts {
		n += len(l.parts[i].id)
	}
	return n
}

// Append appends the result that the layout was read from, as it stands after so long: its ttlMs is reduced by age, rounded
// down and never below zero, so that a stored answer does not promise to be fresh for longer than it is. With keep it is
// filtered too, to the byte as FilterList does it; without, everybody's list is appended.
func (l *Layout) Append(dst, result []byte, age time.Duration, keep func(list, id string) bool) ([]byte, Filtered) {
	var n Filtered
	pos := 0  // of what is not appended yet
	last := 0 // the end of the item before
	kept := 0 // of this list
	skip := func(from, to int) {
		dst = append(dst, result[pos:from]...)
		pos = to
	}
	for i := range l.parts {
		p := &l.parts[i]
		if p.kind == partTTL {
			skip(p.from, p.to)
			dst = strconv.AppendInt(dst, max(0, p.ttl-max(0, age)).Milliseconds(), 10)
			continue
		}
		if keep == nil || !l.listed {
			continue
		}
		switch p.kind {
		case partPublic:
			skip(p.from, p.to)
			dst = append(dst, `"private"`...)
			continue
		case partNull:
			skip(p.from, p.to)
			dst = append(dst, "[]"...)
			continue
		case partItem, partUnnamed, partTTL:
		}
		if p.first {
			last, kept = p.from, 0
		}
		switch {
		case p.kind == partUnnamed || !keep(p.list, p.id):
			skip(last, p.to) // with the comma before it
		case kept == 0:
			skip(last, p.from) // what stood before it is gone, and so is its comma
			kept++
			n.Kept++
		default:
			kept++
			n.Kept++
		}
		n.Items++
		last = p.to
	}
	return append(dst, result[pos:]...), n
}
