package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// Why a spool is full, beside its bytes. They wrap ErrFull.
var (
	// ErrOld says that the oldest event which the sink does not have waits for longer than Options.MaxAge.
	ErrOld = fmt.Errorf("%w: its oldest event waits for too long", ErrFull)
	// ErrDisk says that the disk has less free room than Options.MinFree, or none at all.
	ErrDisk = fmt.Errorf("%w: its disk has too little free room", ErrFull)
)

// boundsEvery is how many background ticks lie between two looks at age and disk: one second.
const boundsEvery = 20

// ageSteps is into how many steps MaxAge is divided, so that few marks are kept; the age is exact to a step.
const ageSteps = 256

// mark says that the events up to a number were recorded by a time, and those after it later.
type mark struct {
	seq int64
	at  time.Time
}

// waiting knows since when events wait for the sink. It belongs to the spool's mutex.
type waiting struct {
	marks     []mark // oldest first
	delivered int64  // the sink has everything up to this number
}

// note adds a mark when events were recorded since the last one.
func (w *waiting) note(seq int64, now time.Time, step time.Duration) {
	n := len(w.marks)
	if seq <= w.delivered || n > 0 && (seq == w.marks[n-1].seq || now.Sub(w.marks[n-1].at) < step) {
		return
	}
	w.marks = append(w.marks, mark{seq, now})
}

// deliver forgets what the sink has.
func (w *waiting) deliver(upto int64) {
	w.delivered = max(w.delivered, upto)
	n := 0
	for n < len(w.marks) && w.marks[n].seq <= upto {
		n++
	}
	w.marks = w.marks[:copy(w.marks, w.marks[n:])]
}

// age is for how long the oldest event has been waiting.
func (w *waiting) age(now time.Time) time.Duration {
	if len(w.marks) == 0 {
		return 0
	}
	return now.Sub(w.marks[0].at)
}

// recallWaitingLocked takes over what an earlier process has left: events above the baseline have been waiting since that was
// written, at least; of others it is not known whether the sink has them, so that they count from now on.
func (s *Spool) recallWaitingLocked(last int64) {
	if last == 0 {
		return
	}
	since := s.o.Now()
	if st, err := os.Stat(filepath.Join(s.o.Dir, baselineName)); err == nil && s.baseline < last {
		since = st.ModTime()
	}
	s.waiting.marks = append(s.waiting.marks, mark{last, since})
}

// checkBounds finds out whether the spool is full by age or by the disk's free room.
func (s *Spool) checkBounds() {
	var why error
	now := s.o.Now()
	s.mu.Lock()
	s.waiting.note(s.chain.Seq(), now, max(time.Second, s.o.MaxAge/ageSteps))
	if s.o.MaxAge > 0 && s.waiting.age(now) > s.o.MaxAge {
		why = ErrOld
	}
	s.mu.Unlock()
	if free, err := freeBytes(s.o.Dir); s.ballast.hold() != nil || err == nil && free < s.o.MinFree {
		why = ErrDisk
	}
	switch before := s.bound.Load(); {
	case why == nil && before != nil:
		s.bound.Store(nil)
		s.o.Log.Info("the spool takes new calls again")
	case why != nil && (before == nil || !errors.Is(*before, why)):
		s.bound.Store(&why)
		s.o.Log.Error("new calls are refused", zap.Error(why))
	}
}

// Age is for how long the oldest event that the sink does not have has been waiting, to a second or a part of MaxAge.
func (s *Spool) Age() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.age(s.o.Now())
}
