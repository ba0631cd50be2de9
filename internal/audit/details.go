package audit

import "strconv"

// maxDetails is how many members a Details holds; more are dropped and counted in the member "dropped".
const maxDetails = 12

// Details builds the JSON object of an event's details: canonical from the start (sorted keys, texts and whole
// numbers only), so that what a database gives back can be hashed again. The zero Details is empty and ready; it
// allocates nothing. A key that is set twice keeps its last value.
type Details struct {
	members [maxDetails]detail
	n       int
	dropped int64
}

type detail struct {
	key  string
	text string
	num  int64
	kind detailKind
}

type detailKind uint8

const (
	detailText detailKind = iota
	detailNumber
)

// Text sets a text member. The strings are kept until Append, not copied.
func (d *Details) Text(key, value string) { d.set(detail{key: key, text: value, kind: detailText}) }

// Number sets a member to a whole number.
func (d *Details) Number(key string, value int64) {
	d.set(detail{key: key, num: value, kind: detailNumber})
}

// set inserts m where its key belongs: the list is short, and stays sorted.
func (d *Details) set(m detail) {
	i := 0
	for i < d.n && d.members[i].key < m.key {
		i++
	}
	if i < d.n && d.members[i].key == m.key {
		d.members[i] = m
		return
	}
	if d.n >= maxDetails-1 && m.key != "dropped" { // the last place is kept for the count
		d.dropped++
		d.set(detail{key: "dropped", num: d.dropped, kind: detailNumber})
		return
	}
	copy(d.members[i+1:d.n+1], d.members[i:d.n])
	d.members[i] = m
	d.n++
}

// Append appends the object, or nothing when no member was set: an event without details has none, not an empty object.
func (d *Details) Append(dst []byte) []byte {
	if d.n == 0 {
		return dst
	}
	for i := range d.n {
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		m := &d.members[i]
		dst = appendQuoted(dst, m.key)
		dst = append(dst, ':')
		switch m.kind {
		case detailText:
			dst = appendQuoted(dst, m.text)
		case detailNumber:
			dst = appendDecimal(dst, m.num)
		}
	}
	return append(dst, '}')
}

func appendDecimal(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }
