package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"go.uber.org/zap"

	"sark/internal/audit"
)

// reader is the consumer's place in the spool.
type reader struct {
	mu     sync.Mutex
	file   *os.File // nil: the place must be looked for
	scan   *scanner
	cut    int64  // of the segment that is open
	index  uint64 // of the segment that is open
	last   int64  // the number of the event that was read last
	holes  int64  // numbers up to here that are missing were reported
	arena  []byte // the tuples of the last Read
	ends   []int
	out    [][]byte
	inputs [][]byte // that were met on the way
}

func (r *reader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closeLocked()
}

func (r *reader) closeLocked() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}

// Read returns up to limit events that follow the event numbered after, as sealed tuples in the order of their numbers, and
// the number up to which the consumer is served: that of the last tuple, or a higher one when the events in between are lost
// to damage; after itself when there is nothing new. Only events that are on the disk are returned, so that no power cut can
// take back what a database has. The tuples are valid until the next Read. One goroutine reads at a time.
func (s *Spool) Read(after int64, limit int) (tuples [][]byte, last int64, err error) {
	r := &s.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	durable, closed := s.syncedSeq, s.closed
	s.waiting.deliver(after)
	s.mu.Unlock()
	if closed {
		return nil, after, ErrClosed
	}
	if durable <= after {
		return nil, after, nil
	}
	if r.file == nil || r.last != after {
		if err := s.seekLocked(after); err != nil {
			return nil, after, fmt.Errorf("read spool: %w", err)
		}
	}
	if err := s.collectLocked(durable, limit); err != nil {
		return nil, after, errors.Join(fmt.Errorf("read spool: %w", err), r.closeLocked())
	}
	return r.tuples(), r.last, nil
}

// seekLocked opens the segment in which the event after the given one must stand.
func (s *Spool) seekLocked(after int64) error {
	s.mu.Lock()
	target := s.segments[len(s.segments)-1]
	for _, seg := range s.segments {
		if seg.lastSeq > after {
			target = seg
			break
		}
	}
	s.mu.Unlock()
	s.reader.last = after
	return s.openLocked(target)
}

func (s *Spool) openLocked(seg *segment) error {
	r := &s.reader
	if err := r.closeLocked(); err != nil {
		return err
	}
	f, _, size, err := openSegment(seg.path)
	if err != nil {
		return err
	}
	r.file, r.index, r.scan, r.cut = f, seg.index, newScanner(f, int64(size)), seg.cut
	return nil
}

// collectLocked reads events up to the number durable, at most limit of them.
func (s *Spool) collectLocked(durable int64, limit int) error {
	r := &s.reader
	r.arena, r.ends, r.inputs = r.arena[:0], r.ends[:0], nil
	r.scan.refresh()
	for r.last < durable && len(r.ends) < limit {
		rec, err := r.scan.next()
		var d *damage
		switch {
		case err == nil:
			if err := s.takeLocked(rec); err != nil {
				return err
			}
		case errors.Is(err, io.EOF):
			more, err := s.nextSegmentLocked(durable)
			if err != nil || !more {
				return err
			}
		case errors.As(err, &d):
			s.setCopyAside(d)
		default:
			return err
		}
	}
	return nil
}

func (s *Spool) takeLocked(rec record) error {
	r := &s.reader
	if rec.kind == kindInput {
		r.inputs = append(r.inputs, bytes.Clone(rec.payload))
	}
	if !rec.kind.sealed() {
		return nil
	}
	_, seq, _, err := audit.Place(rec.payload)
	if err != nil || seq <= r.last || seq > r.cut { // a failed segment's records stand again in the one after it
		return err
	}
	s.reportHoleLocked(r.last+1, seq-1)
	r.last = seq
	r.arena = append(r.arena, rec.payload...)
	r.ends = append(r.ends, len(r.arena))
	return nil
}

func (r *reader) tuples() [][]byte {
	r.out = r.out[:0]
	start := 0
	for _, end := range r.ends {
		r.out = append(r.out, r.arena[start:end:end])
		start = end
	}
	return r.out
}

// nextSegmentLocked goes on to the segment after the one that was read to its end. When there is none, the events up to
// durable were on the disk and are there no more: they are passed over.
func (s *Spool) nextSegmentLocked(durable int64) (bool, error) {
	r := &s.reader
	s.mu.Lock()
	var next *segment
	for _, seg := range s.segments {
		if seg.index > r.index {
			next = seg
			break
		}
	}
	s.mu.Unlock()
	if next != nil {
		return true, s.openLocked(next)
	}
	s.reportHoleLocked(r.last+1, durable)
	r.last = durable
	return false, nil
}

// reportHoleLocked says in the trail which events, of those that were on the disk, are there no more.
func (s *Spool) reportHoleLocked(from, to int64) {
	if from > to || to <= s.reader.holes {
		return
	}
	s.reader.holes = to
	s.o.Log.Error("spool lost events that it had", zap.Int64("first_missing", from), zap.Int64("last_missing", to))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appendGapLocked(gap{reason: "damage", from: from, to: to})
}

// setCopyAside keeps a damaged segment as evidence.
func (s *Spool) setCopyAside(d *damage) {
	path := segmentPath(s.o.Dir, s.reader.index)
	known, err := inQuarantine(s.o.Dir, path)
	if known {
		return
	}
	aside, copyErr := quarantine(s.o.Dir, path)
	s.o.Log.Error("spool segment is damaged", zap.String("copy", aside), zap.NamedError("damage", d), zap.Error(errors.Join(err, copyErr)))
}
