package mcp

import (
	"hash/maphash"
	"math/bits"
	"strings"
)

// key is a key of an object that is being read.
type key struct {
	id   uint64 // the same for the same text; see identity
	from int    // with size, where its text is; see textOf
	size int
}

// fields are the keys of one open object.
type fields struct {
	base  int    // of its keys among those of all open objects
	text  int    // how much text there was before
	marks uint64 // a bit for each key; a key whose bit is not set is new
	many  *table // finds the keys once there are many
}

// fewKeys is how many keys of one object are compared one by one before a table takes over, so that an object with many
// keys costs linear time.
const fewKeys = 32

// close forgets the keys of an object that ended.
func (s *scanner) close(f *fields) {
	s.keys, s.text = s.keys[:f.base], s.text[:f.text]
	if f.many != nil {
		s.spare = f.many
	}
}

// key scans the key that begins at i, with its colon, and adds it to the object. It returns the index of the value, and
// where the text of the key is: see textOf. What most keys are, new, plain and of less than two words, is read here.
func (s *scanner) key(i int, f *fields) (value, from, size int) {
	b := s.b
	if i+20 > len(b) || b[i] != '"' {
		return s.anyKey(i, f)
	}
	from = i + 1
	id := full(b, from)
	marks := special(id)
	if marks != 0 {
		size = lowest(marks)
		id &= below(marks)
	} else {
		marks = special(full(b, from+8))
		size = 8 + lowest(marks)
		id = identity(id, full(b, from+size-8), size)
	}
	mark, last, end := f.mark(id), len(s.keys), from+size
	if marks == 0 || f.marks&mark != 0 || last == cap(s.keys) || last-f.base >= fewKeys ||
		b[end] != '"' || b[end+1] != ':' || b[end+2] <= ' ' {
		return s.anyKey(i, f)
	}
	f.marks |= mark
	s.keys = s.keys[:last+1]
	s.keys[last] = key{id, from, size}
	return end + 2, from, size
}

// anyKey is key for every key.
func (s *scanner) anyKey(i int, f *fields) (value, from, size int) {
	if i >= len(s.b) || s.b[i] != '"' {
		return s.fail(errSyntax), 0, 0
	}
	from = i + 1
	i, escaped := s.rich(plain(s.b, from))
	if s.err != nil {
		return i, 0, 0
	}
	raw := s.b[from : i-1]
	if escaped {
		from = ^len(s.text)
		s.text = appendUnescaped(s.text, raw)
		raw = s.text[^from:]
	}
	id := word(raw, 0)
	if len(raw) >= 8 {
		id = identity(id, word(raw, len(raw)-8), len(raw))
	}
	s.add(f, key{id, from, len(raw)})
	if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
		return s.fail(errSyntax), 0, 0
	}
	return s.space(i + 1), from, len(raw)
}

// below returns the bits of the bytes below the lowest one that special marked: the mark is the highest bit of its byte.
func below(marks uint64) uint64 { return marks&-marks>>7 - 1 }

// identity makes one number of the first and the last word and the size of a key. A key of less than a word is its own
// number, since no two of them with the same bytes differ but by zeros at the end. Others may share one.
func identity(first, last uint64, size int) uint64 {
	return first ^ bits.RotateLeft64(last, 29) + uint64(size) // #nosec G115 -- a size is not negative
}

// mark returns the bit of a key in fields.marks.
func (*fields) mark(id uint64) uint64 {
	const spread = 0x9e3779b97f4a7c15 // 2^64 over the golden ratio: ids that differ anywhere then differ in the highest bits
	return 1 << (id * spread >> 58)
}

// add adds a key to an object and notes one that is there already.
func (s *scanner) add(f *fields, k key) {
	s.keys = append(s.keys, k)
	mark := f.mark(k.id)
	if f.marks&mark != 0 || len(s.keys)-f.base > fewKeys {
		s.unique(f)
	}
	f.marks |= mark
}

// unique looks for the last key among those before it.
func (s *scanner) unique(f *fields) {
	open := s.keys[f.base:]
	last := len(open) - 1
	if last < fewKeys {
		for n := range last {
			if open[n].id == open[last].id && s.same(&open[n], &open[last]) {
				s.note(errDuplicate)
			}
		}
		return
	}
	if f.many == nil {
		f.many = s.table()
		for n := range last {
			f.many.add(s, open, n)
		}
	}
	if !f.many.add(s, open, last) {
		s.note(errDuplicate)
	}
}

// textOf returns the text of a key, valid until the object ends. It stands in the body, or, when from is below zero, at
// its complement in the text of keys that had escapes.
func (s *scanner) textOf(from, size int) []byte {
	if from < 0 {
		return s.text[^from:][:size]
	}
	return s.b[from:][:size]
}

func (s *scanner) same(a, b *key) bool {
	return string(s.textOf(a.from, a.size)) == string(s.textOf(b.from, b.size))
}

// fold notes a key that equals a known one only under case folding.
func (s *scanner) fold(key []byte, known []string) {
	for _, k := range known {
		if strings.EqualFold(Text(key), k) {
			if string(key) != k {
				s.note(errFold)
			}
			return
		}
	}
}

// table finds a key among many: open addressing over a seeded hash, so that nobody can choose keys that meet in it.
type table struct {
	slots []uint32 // the number of a key in its object, counted from 1; 0 is free. As many as a power of two
	seed  maphash.Seed
}

// table returns an empty table. Of a spare one that is larger only a part is used until more is needed, so that clearing
// it costs no more than the keys that are put into it.
func (s *scanner) table() *table {
	t := s.spare
	if s.spare = nil; t == nil {
		t = &table{seed: maphash.MakeSeed()}
	}
	t.size(4 * fewKeys)
	return t
}

// size empties the table and sets how many slots it has.
func (t *table) size(n int) {
	if n > cap(t.slots) {
		t.slots = make([]uint32, n)
		return
	}
	t.slots = t.slots[:n]
	clear(t.slots)
}

// add adds key n of the open ones, whose id becomes its hash. It reports whether the key was not there yet.
func (t *table) add(s *scanner, open []key, n int) bool {
	if 2*n >= len(t.slots) {
		t.grow(open[:n])
	}
	k := &open[n]
	k.id = maphash.Bytes(t.seed, s.textOf(k.from, k.size))
	at := t.slot(k.id)
	for ; t.slots[at] != 0; at = t.after(at) {
		if other := &open[t.slots[at]-1]; other.id == k.id && s.same(other, k) {
			return false
		}
	}
	t.slots[at] = uint32(n + 1) // #nosec G115 -- a body of 4 GiB is over every limit
	return true
}

// grow doubles the table.
func (t *table) grow(open []key) {
	t.size(2 * len(t.slots))
	for n := range open {
		at := t.slot(open[n].id)
		for t.slots[at] != 0 {
			at = t.after(at)
		}
		t.slots[at] = uint32(n + 1) // #nosec G115 -- see add
	}
}

// slot returns where the search for a hash begins.
func (t *table) slot(hash uint64) int { return int(hash & uint64(len(t.slots)-1)) } // #nosec G115 -- below a length

// after returns the slot that comes next.
func (t *table) after(at int) int { return (at + 1) & (len(t.slots) - 1) }
