package proxy_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// errFull is what a trail without room says.
var errFull = errors.New("spool is full")

// trail is an audit trail in memory. Events go through their binary form, since their texts alias memory of the request.
type trail struct {
	mu       sync.Mutex
	room     int // how many more reservations fit; negative: no limit
	events   []audit.Event
	intents  []audit.Event
	reserved int
	ended    int
	faults   []string
	changed  chan struct{} // closed and replaced with each event
}

func newTrail() *trail { return &trail{room: -1, changed: make(chan struct{})} }

// Limit lets n more reservations through and refuses all further ones; a negative n takes the limit away.
func (r *trail) Limit(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.room = n
}

// Reserve implements proxy.Recorder.
func (r *trail) Reserve(intent *audit.Event) (audit.Ticket, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room == 0 {
		return nil, errFull
	}
	if r.room > 0 {
		r.room--
	}
	r.reserved++
	if intent != nil {
		r.intents = append(r.intents, r.copyLocked(intent))
	}
	return &ticket{trail: r}, nil
}

// Refused implements proxy.Recorder.
func (r *trail) Refused(e *audit.Event) {
	r.mu.Lock()
	r.reserved++
	r.mu.Unlock()
	(&ticket{trail: r}).Record(e)
}

func (r *trail) copyLocked(e *audit.Event) audit.Event {
	c, err := audit.DecodeTuple(audit.AppendTuple(nil, e))
	if err != nil {
		r.faults = append(r.faults, fmt.Sprintf("event %s cannot be encoded: %v", e.ID, err))
	}
	return c
}

// Events returns what was recorded so far, in order.
func (r *trail) Events() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]audit.Event(nil), r.events...)
}

// Take returns what was recorded since the last Take and forgets it.
func (r *trail) Take() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// Intents returns the intents that were recorded so far, in order.
func (r *trail) Intents() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]audit.Event(nil), r.intents...)
}

// await waits for n events.
func (r *trail) await(t testing.TB, n int) []audit.Event {
	t.Helper()
	timer := time.NewTimer(testkit.Patience)
	defer timer.Stop()
	for {
		r.mu.Lock()
		events, changed := append([]audit.Event(nil), r.events...), r.changed
		r.mu.Unlock()
		if len(events) >= n {
			return events
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("%d events were recorded within %s, want %d", len(events), testkit.Patience, n)
		}
	}
}

// check runs when the gateway has stopped: every reservation has ended by then, each once.
func (r *trail) check(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.faults {
		t.Errorf("audit trail: %s", f)
	}
	if r.reserved != r.ended {
		t.Errorf("audit trail: %d exchanges took room and %d of them were recorded", r.reserved, r.ended)
	}
	singles := map[string]bool{}
	for _, e := range r.events {
		id := e.ExchangeID.String() + " " + string(e.Phase)
		if singles[id] {
			t.Errorf("audit trail: exchange %s was recorded twice", id)
		}
		singles[id] = true
	}
}

// ticket is room for the events of one exchange.
type ticket struct {
	trail *trail
	ended bool
}

// Record implements audit.Ticket.
func (k *ticket) Record(e *audit.Event) {
	r := k.trail
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.ended {
		r.faults = append(r.faults, fmt.Sprintf("event %s (%s) came after the end of its ticket", e.ID, e.Phase))
	}
	r.events = append(r.events, r.copyLocked(e))
	if e.Phase != audit.PhaseOpen {
		k.ended = true
		r.ended++
	}
	close(r.changed)
	r.changed = make(chan struct{})
}
