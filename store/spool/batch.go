package spool

import "sark/internal/audit"

// batch is records in the form in which they stand in a segment, with what a new segment's header needs to know of them.
type batch struct {
	buf     []byte
	first   int64    // the number that the first event in it has, or would have
	head    [32]byte // the chain's head before that event
	end     uint64   // how many records were appended up to its end, since Open
	events  int
	lastSeq int64
	lastRef uint64
}

// Buffers up to loadBytes are kept for reuse under load, up to idleBytes in quiet times.
const (
	loadBytes = 2 * syncBytes
	idleBytes = 256 << 10
)

// restart empties a batch that will begin where the chain stands.
func (b *batch) restart(c *audit.Chain) {
	b.reset()
	b.first, b.head, b.lastSeq = c.Seq()+1, c.Head(), c.Seq()
}

func (b *batch) reset() {
	b.shrink(loadBytes)
	*b = batch{buf: b.buf[:0]}
}

// shrink gives an empty buffer back when it has grown past a size.
func (b *batch) shrink(size int) {
	if cap(b.buf) > size {
		b.buf = nil
	}
}

// join appends the records of a batch that follows b.
func (b *batch) join(next *batch) {
	if len(next.buf) == 0 {
		return
	}
	if len(b.buf) == 0 {
		b.first, b.head = next.first, next.head
	}
	b.buf = append(b.buf, next.buf...)
	b.events += next.events
	b.end, b.lastSeq, b.lastRef = next.end, next.lastSeq, next.lastRef
}
