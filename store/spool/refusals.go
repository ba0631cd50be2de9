package spool

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"sark/internal/audit"
)

// SuppressedEvent is the event type of an event that stands for refusals which left none of their own.
const SuppressedEvent = "refusals_suppressed"

// A part of the room, one in slackParts, is kept for what refuses calls: when the spool takes no new ones, it can still say so.
const slackParts = 16

// The bounds of refusals, of one window.
const (
	refusalWindow  = time.Minute
	manySources    = 4096 // then all further addresses share one tally for each rule
	sourcesAtOnce  = 32   // all sources together may leave this many times what one may
	slackReduction = 10   // in the slack a source may leave this part of its usual share
)

// source is where refusals come from, and why.
type source struct {
	address netip.Prefix // of one IPv4 address or an IPv6 /64; zero: any
	rule    string
}

// tally counts the refusals of a source in one window.
type tally struct{ recorded, suppressed, said int64 }

// refusals bounds what refused calls may write: who is refused needs no credential for it.
type refusals struct {
	mu    sync.Mutex
	began time.Time // of the window
	total int64
	by    map[source]*tally
}

// Refused records the event of a call that was refused before Reserve was asked, or by it. There is no error: what cannot be
// recorded is counted, and said by a later event. Refusals of callers who are not known are recorded up to
// Options.RefusalsPerMinute for each address and rule; further ones are counted in events of type refusals_suppressed. A spool
// that takes no new calls records all refusals in that way, in room that is kept for them.
func (s *Spool) Refused(e *audit.Event) {
	room := s.roomForCalls()
	limited := e.UserID == "" || e.PrincipalType == "anonymous" || !room
	if limited && s.o.RefusalsPerMinute > 0 && s.suppress(e, room) {
		return
	}
	t := tickets.Get().(*ticket)
	t.spool, t.room, t.ref, t.shed, t.ended = s, 0, 0, false, false
	t.tuple = audit.AppendTuple(t.tuple[:0], e)
	defer t.release(false)
	t.room = int64(recordHeader + len(t.tuple))
	if s.Err() != nil || !s.chargeSlack(t.room) {
		s.mu.Lock()
		s.dropLocked(1)
		s.mu.Unlock()
		return
	}
	s.record(t, false, s.o.Durability.durable(e, false))
}

// roomForCalls reports whether a new call would be let in.
func (s *Spool) roomForCalls() bool {
	return s.bound.Load() == nil && s.used.Load()+outcomeRoom <= s.callBytes()
}

// callBytes bounds what new calls may use.
func (s *Spool) callBytes() int64 { return s.o.MaxBytes - s.o.MaxBytes/slackParts }

// chargeSlack takes room that only refusals may use.
func (s *Spool) chargeSlack(size int64) bool {
	if s.used.Add(size) > s.o.MaxBytes {
		s.used.Add(-size)
		return false
	}
	return true
}

// dropLocked counts refusals for which there is no room; the next event that is written is preceded by a gap event with the
// count.
func (s *Spool) dropLocked(n int64) {
	s.stats.dropped.Add(n)
	s.dropped += n
}

// suppress reports whether a refusal is only counted. The first of a source that is, is said at once: a crash may take the
// count, never the fact.
func (s *Spool) suppress(e *audit.Event, room bool) bool {
	share := int64(s.o.RefusalsPerMinute)
	if !room {
		share = max(1, share/slackReduction)
	}
	now := s.o.Now()
	s.turnWindow(now)
	r := &s.refusals
	r.mu.Lock()
	from, t := r.tallyLocked(e)
	if t.recorded < share && r.total < share*sourcesAtOnce {
		t.recorded++
		r.total++
		r.mu.Unlock()
		return false
	}
	t.suppressed++
	first := t.suppressed == 1
	if first {
		t.said = 1
	}
	r.mu.Unlock()
	s.stats.suppressed.Add(1)
	if first {
		s.saySuppressed(from, 1, now)
	}
	return true
}

func (r *refusals) tallyLocked(e *audit.Event) (source, *tally) {
	from := source{address: network(e.IP), rule: e.Rule}
	if t := r.by[from]; t != nil {
		return from, t
	}
	if len(r.by) >= manySources {
		from.address = netip.Prefix{}
	}
	from.rule = strings.Clone(from.rule) // it may alias memory of the request
	t := r.by[from]
	if t == nil {
		t = new(tally)
		r.by[from] = t
	}
	return from, t
}

// network is what one caller can hardly leave: an IPv4 address, or an IPv6 /64.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: a unix socket
	}
	return p
}

// turnWindow ends a window that is over, and says what was counted in it.
func (s *Spool) turnWindow(now time.Time) {
	r := &s.refusals
	r.mu.Lock()
	if now.Sub(r.began) < refusalWindow && !now.Before(r.began) {
		r.mu.Unlock()
		return
	}
	over := r.by
	r.began, r.total, r.by = now, 0, make(map[source]*tally)
	r.mu.Unlock()
	for from, t := range over {
		if n := t.suppressed - t.said; n > 0 {
			s.saySuppressed(from, n, now)
		}
	}
}

// saySuppressed records an event that stands for n refusals.
func (s *Spool) saySuppressed(from source, n int64, now time.Time) {
	now = now.UTC()
	var d audit.Details
	d.Number("events", n)
	if from.address.IsValid() && !from.address.IsSingleIP() {
		d.Text("network", from.address.String())
	}
	e := audit.Event{
		ID: audit.NewID(now), Time: now, ClassUID: 2004, EventType: SuppressedEvent, Severity: audit.SeverityMedium,
		Phase: audit.PhaseSingle, Outcome: audit.OutcomeDenied, Rule: from.rule, Reason: "too many refusals to record each",
		PrincipalType: "system", ResourceType: "audit", IP: from.address.Addr(), Details: d.Append(nil),
	}
	tuple := audit.AppendTuple(nil, &e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.stats.lost.Add(1)
		return
	}
	if s.failure != nil || !s.chargeSlack(int64(recordHeader+len(tuple))) {
		s.dropLocked(n)
		return
	}
	s.commitLocked(s.appendLocked(kindEvent, false, 0, tuple), false)
}
