package spool

import (
	"sync"

	"sark/internal/audit"
)

// outcomeRoom is reserved for the events of an exchange that has no intent to estimate them by.
const outcomeRoom = 8 << 10

// ticket is the room of one exchange. Its reference and its links belong to the spool's mutex.
type ticket struct {
	spool *Spool
	room  int64  // bytes that are still reserved
	ref   uint64 // of the intent or open event, 0 before
	shed  bool   // the spool was full: events of severity low are dropped
	ended bool
	tuple []byte // encoded outside the mutex

	newer, older *ticket // the list of exchanges that have a reference
}

var tickets = sync.Pool{New: func() any { return new(ticket) }}

// Reserve takes room for the records of one exchange, before anything is sent upstream. With an intent it records that the
// call is about to be forwarded, and returns when the intent is as durable as its rule asks.
//
// An error means that nothing may be forwarded: ErrFull, ErrClosed, or why the disk cannot be written.
func (s *Spool) Reserve(intent *audit.Event) (audit.Ticket, error) {
	if err := s.Err(); err != nil {
		s.stats.refuse(err)
		return nil, err
	}
	t := tickets.Get().(*ticket)
	t.spool, t.room, t.ref, t.shed, t.ended = s, outcomeRoom, 0, false, false
	if intent != nil {
		t.tuple = audit.AppendTuple(t.tuple[:0], intent)
		t.room = int64(recordHeader+len(t.tuple)) + max(outcomeRoom, 2*int64(recordHeader+len(t.tuple)))
	}
	if err := s.takeRoom(t, intent); err != nil {
		s.stats.refuse(err)
		tickets.Put(t)
		return nil, err
	}
	if intent == nil || t.shed {
		return t, nil
	}
	if err := s.announce(t, s.o.Durability.durable(intent, true)); err != nil {
		s.stats.refuse(err)
		return nil, err // the ticket is not used again: its intent may yet be found and become an unknown outcome
	}
	return t, nil
}

// takeRoom charges the ticket's room, or makes it a shedding one, or refuses.
func (s *Spool) takeRoom(t *ticket, intent *audit.Event) error {
	limit := s.o.MaxBytes
	low := intent == nil || intent.Severity == audit.SeverityLow
	bound := s.bound.Load()
	used := s.used.Add(t.room)
	if s.o.OnFull == ShedLow && low && used <= s.callBytes() && (used > limit-limit/8 || bound != nil) {
		s.used.Add(-t.room)
		t.room, t.shed = 0, true
		return nil
	}
	if used > s.callBytes() {
		s.used.Add(-t.room)
		return ErrFull
	}
	if bound != nil {
		s.used.Add(-t.room)
		return *bound
	}
	return nil
}

// announce appends the intent.
func (s *Spool) announce(t *ticket, durable bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.used.Add(-t.room)
		return ErrClosed
	}
	s.linkLocked(t)
	n := s.appendLocked(kindIntent, true, t.ref, t.tuple)
	t.room -= int64(recordHeader + len(t.tuple))
	s.commitLocked(n, durable)
	if s.failure == nil {
		return nil
	}
	s.unlinkLocked(t)
	s.used.Add(-t.room)
	return s.failure
}

// Record appends an event, and returns when it is as durable as its rule asks. When the disk fails it returns nevertheless:
// the event is then kept in memory until the disk works again, and Err says so.
func (t *ticket) Record(e *audit.Event) {
	s := t.spool
	if t.ended {
		panic("BUG: an event was recorded after the last one of its exchange")
	}
	open := e.Phase == audit.PhaseOpen
	if t.shed && e.Severity == audit.SeverityLow {
		s.dropShed(t, open)
		return
	}
	t.tuple = audit.AppendTuple(t.tuple[:0], e)
	s.record(t, open, s.o.Durability.durable(e, false))
	t.release(open)
}

// release gives an ended ticket back.
func (t *ticket) release(open bool) {
	if open {
		return
	}
	t.ended = true
	tickets.Put(t)
}

func (s *Spool) record(t *ticket, open, durable bool) {
	size := int64(recordHeader + len(t.tuple))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.stats.lost.Add(1)
		s.used.Add(-t.room)
		return
	}
	s.reportShedLocked()
	if open && t.ref == 0 {
		s.linkLocked(t)
	}
	n := s.appendLocked(kindEvent, open, t.ref, t.tuple)
	if open {
		reserved := min(t.room, size) // what is left stays reserved for the close event
		t.room -= reserved
		s.used.Add(size - reserved)
	} else {
		s.used.Add(size - t.room)
		s.unlinkLocked(t)
	}
	s.commitLocked(n, durable)
}

// dropShed forgets an event and counts it; the next event that is written is preceded by a gap event with the count.
func (s *Spool) dropShed(t *ticket, open bool) {
	s.stats.shed.Add(1)
	s.mu.Lock()
	s.shed++
	if !open {
		s.unlinkLocked(t)
	}
	s.mu.Unlock()
	t.release(open)
}

// linkLocked gives a ticket the next reference and puts it at the newer end of the list.
func (s *Spool) linkLocked(t *ticket) {
	s.refs++
	t.ref = s.refs
	t.older, t.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = t
	} else {
		s.oldest = t
	}
	s.newest = t
	s.open++
}

func (s *Spool) unlinkLocked(t *ticket) {
	if t.ref == 0 {
		return
	}
	if t.older != nil {
		t.older.newer = t.newer
	} else {
		s.oldest = t.newer
	}
	if t.newer != nil {
		t.newer.older = t.older
	} else {
		s.newest = t.older
	}
	t.older, t.newer, t.ref = nil, nil, 0
	s.open--
}
