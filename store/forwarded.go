package store

import (
	"strconv"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// Receiver says how far a receiver outside, such as a SIEM, has got with the events of a writer.
type Receiver struct {
	Name string
	Seq  int64 // of the last event that it has, or is not to have
}

// Forwarded says of writers up to which event all of their receivers have got. A writer without receivers is not in it. It is
// never ahead of the receivers, and may be behind them.
type Forwarded map[uuid.UUID]int64

// Writers lists who recorded some events, each once, to ask how far they are forwarded.
func Writers(events []audit.Event) []uuid.UUID {
	var writers []uuid.UUID
	seen := make(map[uuid.UUID]bool)
	for i := range events {
		if id := events[i].WriterID; !seen[id] {
			seen[id] = true
			writers = append(writers, id)
		}
	}
	return writers
}

// Mark adds to events whether they are forwarded.
func (f Forwarded) Mark(events []audit.Event) []MarkedEvent {
	marked := make([]MarkedEvent, len(events))
	for i := range events {
		upTo, receivers := f[events[i].WriterID]
		marked[i] = MarkedEvent{Event: events[i], Receivers: receivers, Forwarded: receivers && upTo >= events[i].Seq}
	}
	return marked
}

// MarkedEvent is an event and what receivers outside have of it.
type MarkedEvent struct {
	audit.Event
	Receivers bool // its writer has receivers
	Forwarded bool // all of them have the event, or are not to have it
}

// MarshalJSON renders the event as package audit does, and adds siem_forwarded: true, false, or null without receivers. It
// is a state beside the event, and so in no column, no hash and no export.
func (e MarkedEvent) MarshalJSON() ([]byte, error) {
	text, err := e.Event.MarshalJSON()
	if err != nil {
		return nil, err
	}
	text = append(text[:len(text)-1], `,"siem_forwarded":`...)
	if e.Receivers {
		text = strconv.AppendBool(text, e.Forwarded)
	} else {
		text = append(text, "null"...)
	}
	return append(text, '}'), nil
}
