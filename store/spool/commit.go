package spool

import (
	"time"

	"go.uber.org/zap"
)

// A commit is one fdatasync for all who wait. Under load commits are paced, so that each takes more events with it; with few
// waiting, pacing would only add delay.
const (
	paceEvents = 32               // the last commit had at least as many events
	paceEvery  = time.Millisecond // then the next one begins no sooner
)

// What is written and unsynced is also kept in memory, for the case that the disk fails. From hurryBytes on the background
// goroutine syncs at once, from syncBytes on the appenders do it in turn.
const (
	hurryBytes = 1 << 20
	syncBytes  = 16 << 20
)

// appendLocked adds a record to the batch that is being filled, with its place in the chain if it has one, and returns how
// many records there are now. The payload is copied.
func (s *Spool) appendLocked(k kind, open bool, ref uint64, payload []byte) uint64 {
	b := s.fill
	var at int
	b.buf, at = beginRecord(b.buf, k, open, ref, payload)
	if k.sealed() {
		b.lastSeq = s.chain.Seal(b.buf[at+recordHeader:])
		b.events++
	}
	endRecord(b.buf, at)
	s.appended++
	b.end, b.lastRef = s.appended, s.refs
	return b.end
}

// commitLocked returns when the first n records are written, and synced if durable, or when the disk has failed.
func (s *Spool) commitLocked(n uint64, durable bool) {
	for s.written < n && s.failure == nil {
		if s.writing || s.rescuing {
			s.writeDone.Wait()
			continue
		}
		s.writeLocked()
	}
	if len(s.unsynced.buf) > hurryBytes {
		signal(s.hurry)
	}
	durable = durable || len(s.unsynced.buf) > syncBytes
	for durable && s.synced < n && s.failure == nil {
		if s.syncing || s.rescuing {
			s.syncDone.Wait()
			continue
		}
		s.paceLocked()
		if s.synced < n && !s.syncing && !s.rescuing {
			s.syncLocked()
		}
	}
}

// writeLocked makes the caller the one who writes: everything that waits goes out in one write(2).
func (s *Spool) writeLocked() {
	s.writing = true
	b := s.fill
	s.fill, s.spare = s.spare, nil
	s.fill.restart(s.chain)
	current := s.current
	s.mu.Unlock()

	target, before, err := s.target(current, b)
	if err == nil {
		err = target.write(b.buf)
		s.used.Add(target.size - before - int64(len(b.buf))) // what did not reach the file is charged when it does
	}

	s.mu.Lock()
	if target != nil && target != current {
		s.segments = append(s.segments, target)
		s.current = target
	}
	s.unsynced.join(b)
	if err == nil {
		s.written = b.end
		s.current.lastSeq, s.current.lastRef = b.lastSeq, b.lastRef
	}
	s.spare = b
	s.writing = false
	s.writeDone.Broadcast()
	if err != nil {
		s.rescueLocked(err)
	}
}

// target returns the segment to which a batch belongs, the current one or a new one when that is full, and its size.
func (s *Spool) target(current *segment, b *batch) (seg *segment, size int64, err error) {
	if current.size < s.o.SegmentBytes {
		return current, current.size, nil
	}
	if seg, err = s.newSegment(b); err != nil {
		s.used.Add(-int64(len(b.buf)))
		return nil, 0, err
	}
	return seg, seg.size, nil
}

// newSegment begins a segment whose first record is that of b.
func (s *Spool) newSegment(b *batch) (*segment, error) {
	index := s.index.Add(1)
	seg, err := createSegment(segmentPath(s.o.Dir, index), index, header{writer: s.writer, first: b.first, head: b.head, columns: s.columns})
	if err != nil {
		return nil, err
	}
	s.used.Add(seg.size)
	return seg, nil
}

// paceLocked waits until the next commit is due, if commits are heavy.
func (s *Spool) paceLocked() {
	if s.lastCommit < paceEvents {
		return
	}
	if wait := paceEvery - time.Since(s.committed); wait > 0 {
		s.mu.Unlock()
		time.Sleep(wait)
		s.mu.Lock()
	}
}

// syncLocked makes the caller the one who syncs everything that is written.
func (s *Spool) syncLocked() {
	s.syncing = true
	n := s.written
	s.inSync, s.unsynced = s.unsynced, s.inSync
	s.unsynced.reset()
	dirty := s.dirtyLocked()
	s.mu.Unlock()

	began := time.Now()
	var err error
	for _, d := range dirty {
		if err = d.segment.sync(s.folder); err != nil {
			break
		}
	}
	took := time.Since(began)

	s.mu.Lock()
	s.stats.syncs.Add(1)
	s.stats.syncMicros.Add(took.Microseconds())
	s.committed = began.Add(took)
	s.syncing = false
	if err != nil {
		s.syncDone.Broadcast()
		s.rescueLocked(err)
		return
	}
	s.lastCommit = s.inSync.events
	s.settleLocked(n, dirty)
}

// dirt is a segment that must be synced, and whether nothing more will be written to it.
type dirt struct {
	segment  *segment
	complete bool
}

func (s *Spool) dirtyLocked() []dirt {
	s.dirt = s.dirt[:0]
	for i := len(s.segments) - 1; i >= 0 && !s.segments[i].clean; i-- {
		s.dirt = append(s.dirt, dirt{s.segments[i], s.segments[i] != s.current})
	}
	return s.dirt
}

// settleLocked notes that the first n records are on the disk and tells who waits for that.
func (s *Spool) settleLocked(n uint64, dirty []dirt) {
	s.synced = max(s.synced, n)
	if s.inSync.events > 0 {
		s.syncedSeq = max(s.syncedSeq, s.inSync.lastSeq)
	}
	s.inSync.reset()
	for _, d := range dirty {
		if !d.complete {
			continue
		}
		d.segment.clean = true
		if err := d.segment.close(); err != nil {
			s.o.Log.Warn("closing a synced segment", zap.String("segment", d.segment.path), zap.Error(err))
		}
	}
	s.syncDone.Broadcast()
	signal(s.wake)
}

// signal leaves a signal in a channel of capacity 1; one that waits is enough.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
