package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"sark/internal/audit"
)

// Cursor reads a spool beside its consumer, without a claim on it: what the consumer has dropped is gone for a cursor too, and
// has to be found where the consumer brought it. One goroutine uses it at a time.
type Cursor struct {
	spool *Spool
	file  *os.File // nil: the place must be looked for
	scan  *scanner
	index uint64 // of the segment that is open
	last  int64  // the number of the event that was read last, or after which it was looked for
	arena []byte // the tuples of the last Read
	ends  []int
}

// NewCursor makes a cursor, which is closed by Close.
func (s *Spool) NewCursor() *Cursor { return &Cursor{spool: s} }

// Close ends reading.
func (c *Cursor) Close() error {
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return f.Close()
}

// Read returns up to limit events, of about size bytes together, that follow the event numbered after without a hole, as
// sealed tuples, and the number of the next event that the spool may have. No tuples and a next above after+1 say that the
// numbers in between are not in the spool: they were dropped after they had been stored, or lost. Only events that are on the
// disk are returned. The tuples are valid until the next Read.
func (c *Cursor) Read(after int64, limit, size int) (tuples [][]byte, next int64, err error) {
	c.spool.mu.Lock()
	durable, closed := c.spool.syncedSeq, c.spool.closed
	c.spool.mu.Unlock()
	if closed {
		return nil, after + 1, ErrClosed
	}
	if durable <= after {
		return nil, after + 1, nil
	}
	if c.file == nil || c.last != after {
		if err := c.seek(after); err != nil {
			return nil, after + 1, fmt.Errorf("read spool: %w", err)
		}
	}
	next, err = c.collect(durable, limit, size)
	if err != nil {
		return nil, after + 1, errors.Join(fmt.Errorf("read spool: %w", err), c.Close())
	}
	return c.tuples(), next, nil
}

// seek opens the oldest segment in which the event after the given one may stand.
func (c *Cursor) seek(after int64) error {
	if err := c.Close(); err != nil {
		return err
	}
	c.last = after
	_, err := c.open(func(seg *segment) bool { return seg.lastSeq > after })
	return err
}

// open opens the oldest segment that fits, or the current one when none does; false when there is none any more.
func (c *Cursor) open(fits func(*segment) bool) (bool, error) {
	for _, seg := range c.candidates(fits) {
		f, _, size, err := openSegment(seg.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped meanwhile
		}
		if err != nil {
			return false, err
		}
		if err := c.Close(); err != nil {
			return false, errors.Join(err, f.Close())
		}
		c.file, c.index, c.scan = f, seg.index, newScanner(f, int64(size))
		return true, nil
	}
	return false, nil
}

// candidates are the segments from the first one on that fits, of which the last is current.
func (c *Cursor) candidates(fits func(*segment) bool) []*segment {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	for i, seg := range c.spool.segments {
		if fits(seg) || i == len(c.spool.segments)-1 {
			return append([]*segment(nil), c.spool.segments[i:]...)
		}
	}
	return nil
}

// collect reads events up to the number durable, and returns the number of the next.
func (c *Cursor) collect(durable int64, limit, size int) (next int64, err error) {
	c.arena, c.ends = c.arena[:0], c.ends[:0]
	if c.file == nil {
		return c.last + 1, nil
	}
	c.scan.refresh()
	for c.last < durable && len(c.ends) < limit && len(c.arena) < size {
		rec, err := c.scan.next()
		var d *damage
		switch {
		case err == nil:
			held, err := c.take(rec, durable)
			if held != 0 || err != nil {
				return held, err
			}
		case errors.Is(err, io.EOF):
			index := c.index
			more, err := c.open(func(seg *segment) bool { return seg.index > index })
			if err != nil {
				return 0, err
			}
			if !more || c.index == index { // what was on the disk is there no more
				if len(c.ends) > 0 {
					return c.last + 1, c.Close()
				}
				return durable + 1, c.Close()
			}
		case errors.As(err, &d): // the consumer reports it
		default:
			return 0, err
		}
	}
	return c.last + 1, nil
}

// take adds a record's event. It returns the event's number when numbers before it are missing: the next Read begins anew.
func (c *Cursor) take(rec record, durable int64) (held int64, err error) {
	if !rec.kind.sealed() {
		return 0, nil
	}
	_, seq, _, err := audit.Place(rec.payload)
	switch {
	case err != nil || seq <= c.last: // a failed segment's records stand again in the one after it
		return 0, err
	case seq > durable:
		return durable + 1, c.Close()
	case seq != c.last+1 && len(c.ends) > 0:
		return c.last + 1, c.Close()
	case seq != c.last+1:
		return seq, c.Close()
	}
	c.last = seq
	c.arena = append(c.arena, rec.payload...)
	c.ends = append(c.ends, len(c.arena))
	return 0, nil
}

func (c *Cursor) tuples() [][]byte {
	out := make([][]byte, 0, len(c.ends))
	start := 0
	for _, end := range c.ends {
		out = append(out, c.arena[start:end:end])
		start = end
	}
	return out
}
