package spool

import (
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"
)

// rescueLocked writes everything that is not known to be on the disk to a new segment. A failed write or sync is final for
// its segment: the kernel may have dropped the pages, and a second sync would claim success. If the new segment fails too,
// the bytes stay in memory, Reserve refuses, and the background goroutine tries again.
func (s *Spool) rescueLocked(cause error) {
	s.rescuing = true
	for s.writing || s.syncing {
		if s.writing {
			s.writeDone.Wait()
		} else {
			s.syncDone.Wait()
		}
	}
	s.writing, s.syncing = true, true
	s.inSync.join(&s.unsynced) // the first holds what a failed sync had taken
	s.unsynced.reset()
	if len(s.inSync.buf) == 0 {
		s.inSync.first, s.inSync.head = s.fill.first, s.fill.head
	}
	lost := s.current
	s.mu.Unlock()

	seg, err := s.rewrite(&s.inSync)
	if err != nil && s.ballast.release() {
		full := error(ErrDisk)
		s.bound.Store(&full)
		s.o.Log.Error("new calls are refused; the room that was held for those under way is used", zap.Error(err))
		seg, err = s.rewrite(&s.inSync)
	}

	s.mu.Lock()
	if err == nil {
		s.moveToLocked(seg)
		s.o.Log.Error("spool segment failed; its records were written to another", zap.String("segment", lost.path),
			zap.Error(cause))
	} else if s.failure == nil {
		s.o.Log.Error("spool cannot be written; new calls are refused", zap.Error(errors.Join(cause, err)))
	}
	s.setFailureLocked(err)
	s.stats.rescues.Add(1)
	s.writing, s.syncing, s.rescuing = false, false, false
	s.writeDone.Broadcast()
	s.syncDone.Broadcast()
	signal(s.wake)
}

func (s *Spool) rewrite(b *batch) (*segment, error) {
	seg, err := s.newSegment(b)
	if err != nil {
		return nil, err
	}
	size := seg.size
	err = seg.write(b.buf)
	if err == nil {
		err = seg.sync(s.folder)
	}
	if err != nil {
		s.used.Add(-size)
		return nil, errors.Join(err, seg.close(), os.Remove(seg.path))
	}
	s.used.Add(int64(len(b.buf)))
	return seg, nil
}

// moveToLocked makes a segment that holds everything unsynced the current one; all before it are complete.
func (s *Spool) moveToLocked(seg *segment) {
	for _, old := range s.segments {
		if old.clean {
			continue
		}
		old.clean = true
		if err := old.close(); err != nil {
			s.o.Log.Warn("closing a failed segment", zap.String("segment", old.path), zap.Error(err))
		}
	}
	b := &s.inSync
	seg.lastSeq, seg.lastRef = max(b.lastSeq, s.syncedSeq), b.lastRef
	s.segments = append(s.segments, seg)
	s.current = seg
	if len(b.buf) > 0 {
		s.written, s.synced = b.end, b.end
		s.syncedSeq = max(s.syncedSeq, b.lastSeq)
	}
	b.reset()
}

func (s *Spool) setFailureLocked(err error) {
	if err == nil {
		s.failure = nil
		s.failed.Store(nil)
		return
	}
	err = fmt.Errorf("spool cannot be written: %w", err)
	s.failure = err
	s.failed.Store(&err)
}
