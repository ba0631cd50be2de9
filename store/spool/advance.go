package spool

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"go.uber.org/zap"

	"sark/internal/audit"
)

// draftSuffix ends the name of a file that is not whole yet; a start removes what a crash has left of them.
const draftSuffix = ".new"

// reasonSinkAhead is the reason of a gap event with which the chain goes on after numbers that only the sink has.
const reasonSinkAhead = "sink_ahead"

// Advance compares the sink's offset with what this spool knows, before events are read for the sink. confirmed is up to
// which number the caller knows that the sink has got its events from this spool, 0 when it has not asked before.
//
// A sink that is ahead has events that this spool never had or no longer has, as after an older copy of its folder was put
// back, or when a copy of it is in use elsewhere. The numbers that were given since are then taken: everything that was
// recorded under them is sealed anew behind the sink's last number, after a gap event that says so, and nothing is lost.
// Recording waits as long as that takes.
func (s *Spool) Advance(offset, confirmed int64) error {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	known := max(confirmed, s.baseline) // a batch of an earlier process may arrive late
	if offset > known {
		if err := s.resealLocked(known, offset); err != nil {
			return fmt.Errorf("continue the chain after %d: %w", offset, err)
		}
	}
	return s.confirmLocked()
}

// resealLocked moves every event above the number known into a new segment, sealed anew after the number offset. The segment
// appears whole or not at all; with it the numbers above known in the segments before it are void.
func (s *Spool) resealLocked(known, offset int64) error {
	if err := s.restLocked(); err != nil {
		return err
	}
	last := s.chain.Seq()
	s.o.Log.Error("the sink is ahead of the spool: was an older copy of the spool put back, or is a copy in use elsewhere?",
		zap.Int64("known_seq", known), zap.Int64("spool_seq", last), zap.Int64("sink_seq", offset))
	r := resealing{s: s, known: known, last: known, chain: audit.NewChain(s.writer, max(last, offset), s.chain.Head())}
	seg, err := r.build(offset)
	if err != nil {
		return err
	}
	for _, old := range s.segments {
		old.cutAt(known)
		if !old.clean {
			old.clean = true
			err = errors.Join(err, old.close())
		}
	}
	s.used.Add(seg.size)
	s.segments, s.current = append(s.segments, seg), seg
	s.chain, s.syncedSeq = r.chain, r.chain.Seq()
	s.appended += r.records
	s.written, s.synced = s.appended, s.appended
	s.fill.restart(s.chain)
	s.reader.holes = max(s.reader.holes, max(last, offset))
	s.stats.gaps.Add(1)
	signal(s.wake)
	return errors.Join(err, s.reader.closeLocked())
}

// restLocked returns when everything is on the disk and nobody writes.
func (s *Spool) restLocked() error {
	for s.synced < s.appended || s.writing || s.syncing || s.rescuing {
		switch {
		case s.closed:
			return ErrClosed
		case s.writing:
			s.writeDone.Wait()
		case s.syncing || s.rescuing:
			s.syncDone.Wait()
		default:
			s.commitLocked(s.appended, true)
		}
		if s.failure != nil {
			return s.failure
		}
	}
	if s.closed {
		return ErrClosed
	}
	return s.failure
}

// resealing writes a segment of events that were sealed before.
type resealing struct {
	s       *Spool
	known   int64
	chain   *audit.Chain
	seg     *segment
	buf     []byte
	records uint64
	last    int64 // the number that was taken over last, in the old count
}

// build makes the segment: a gap event, then what the segments before have above the number known.
func (r *resealing) build(offset int64) (_ *segment, err error) {
	s := r.s
	index := s.index.Add(1)
	r.seg, err = createSegment(segmentPath(s.o.Dir, index)+draftSuffix, index,
		header{writer: s.writer, first: r.chain.Seq() + 1, head: r.chain.Head(), columns: s.columns})
	if err != nil {
		return nil, err
	}
	if err := r.fill(offset); err != nil {
		return nil, errors.Join(err, r.seg.close(), os.Remove(r.seg.path))
	}
	path := segmentPath(s.o.Dir, index)
	if err := os.Rename(r.seg.path, path); err != nil {
		return nil, errors.Join(err, r.seg.close(), os.Remove(r.seg.path))
	}
	r.seg.path, r.seg.lastSeq, r.seg.lastRef = path, r.chain.Seq(), s.refs
	if err := s.folder.Sync(); err != nil {
		return nil, errors.Join(err, r.seg.close(), os.Remove(path))
	}
	r.seg.inFolder = true
	return r.seg, nil
}

func (r *resealing) fill(offset int64) error {
	events := r.s.chain.Seq() - r.known
	r.s.gap = r.s.gapTuple(gap{reason: reasonSinkAhead, from: r.known + 1, to: offset, events: max(events, 0)})
	r.add(record{kind: kindGap, payload: r.s.gap})
	for _, old := range r.s.segments {
		if old.lastSeq <= r.known {
			continue
		}
		if err := r.copy(old); err != nil {
			return err
		}
	}
	if err := r.seg.write(r.buf); err != nil {
		return err
	}
	return fdatasync(r.seg.file)
}

// copy takes over what one segment has.
func (r *resealing) copy(old *segment) error {
	f, _, size, err := openSegment(old.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	for sc := newScanner(f, int64(size)); ; {
		rec, err := sc.next()
		var d *damage
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &d):
			continue // said when it is read
		case err != nil:
			return err
		case !rec.kind.sealed():
			continue
		}
		_, seq, _, err := audit.Place(rec.payload)
		if err != nil {
			return err
		}
		if seq <= r.last || seq > old.cut { // a failed segment's records stand again in the one after it
			continue
		}
		r.last = seq
		r.add(rec)
		if len(r.buf) > hurryBytes {
			if err := r.seg.write(r.buf); err != nil {
				return err
			}
			r.buf = r.buf[:0]
		}
	}
}

// add seals a record anew.
func (r *resealing) add(rec record) {
	var at int
	r.buf, at = beginRecord(r.buf, rec.kind, rec.open, rec.ref, rec.payload)
	r.chain.Seal(r.buf[at+recordHeader:])
	endRecord(r.buf, at)
	r.records++
}

// cutAt makes every number above seq in a segment void: it was given anew in a later one.
func (s *segment) cutAt(seq int64) {
	s.cut, s.lastSeq = min(s.cut, seq), min(s.lastSeq, seq)
}

// uncut is the cut of a segment of which every number counts.
const uncut = math.MaxInt64
