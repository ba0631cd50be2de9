package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Droppable reports whether Drop would remove a segment.
func (s *Spool) Droppable(upto int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return droppable(s.segments[0], s.current, upto)
}

// droppable: the segment is complete and on the disk, and the sink has all of its events.
func droppable(seg, current *segment, upto int64) bool {
	return seg != current && seg.clean && seg.lastSeq <= upto
}

// Drop removes the oldest segments whose every event is numbered upto or below: the sink has them, durably. Intents and open
// events in them whose exchange still goes on are carried into the current segment first.
func (s *Spool) Drop(upto int64) error {
	for {
		s.mu.Lock()
		seg, ok := s.segments[0], droppable(s.segments[0], s.current, upto)
		open := ok && s.oldest != nil && s.oldest.ref <= seg.lastRef
		s.mu.Unlock()
		if !ok {
			return nil
		}
		if open {
			if err := s.carry(seg); err != nil {
				return fmt.Errorf("carry open exchanges out of a segment: %w", err)
			}
		}
		if err := os.Remove(seg.path); err != nil {
			return fmt.Errorf("drop segment: %w", err)
		}
		s.used.Add(-seg.size)
		s.mu.Lock()
		s.segments = s.segments[1:]
		s.mu.Unlock()
	}
}

// carry appends anew what an old segment says of exchanges that still go on.
func (s *Spool) carry(seg *segment) error {
	records, err := openRecords(seg)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := s.oldest; t != nil && t.ref <= seg.lastRef; t = t.newer {
		if rec, ok := records[t.ref]; ok {
			s.used.Add(int64(recordHeader + len(rec.payload)))
			s.appendCarriedLocked(rec)
		}
	}
	s.commitLocked(s.appended, true)
	return s.failure
}

// appendCarriedLocked adds an intent, or an open event that has its place in the chain already.
func (s *Spool) appendCarriedLocked(rec record) {
	b := s.fill
	var at int
	b.buf, at = beginRecord(b.buf, rec.kind, true, rec.ref, rec.payload)
	endRecord(b.buf, at)
	s.appended++
	b.end, b.lastRef = s.appended, s.refs
}

// openRecords reads, by reference, what a segment says of each exchange that has no end in it: the open event, else the intent.
// An intent that was carried stands behind the open event, which makes it needless: whoever had forgotten that event would give
// the exchange another one of its id.
func openRecords(seg *segment) (map[uint64]record, error) {
	f, _, size, err := openSegment(seg.path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	records := make(map[uint64]record)
	sc := newScanner(f, int64(size))
	for {
		rec, err := sc.next()
		var d *damage
		switch {
		case errors.Is(err, io.EOF):
			return records, nil
		case errors.As(err, &d):
		case err != nil:
			return nil, err
		case rec.ref != 0 && rec.open && rec.kind == kindIntent && records[rec.ref].kind == kindEvent:
		case rec.ref != 0 && rec.open:
			rec.payload = append([]byte(nil), rec.payload...)
			records[rec.ref] = rec
		case rec.ref != 0:
			delete(records, rec.ref)
		}
	}
}
