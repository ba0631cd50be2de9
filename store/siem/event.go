package siem

import (
	"fmt"
	"slices"

	"sark/internal/audit"
	"sark/internal/audit/ocsf"
)

// Event is an event on its way to a receiver.
type Event struct {
	*audit.Event
	// Body is the event as a JSON object in one line, in the lane's format.
	Body  []byte
	tuple []byte
}

// Format is the form of an event's body.
type Format string

// The formats.
const (
	// FormatJSON has the columns of the trail, as "sark audit query --output json".
	FormatJSON Format = "json"
	// FormatOCSF is the Open Cybersecurity Schema Framework.
	FormatOCSF Format = "ocsf"
)

// render makes the event of a tuple.
func (f Format) render(tuple []byte) (Event, error) {
	e, err := audit.DecodeTuple(tuple)
	if err != nil {
		return Event{}, err
	}
	var body []byte
	if f == FormatOCSF {
		body, err = ocsf.Append(nil, ocsf.Of(&e))
	} else {
		body, err = audit.AppendJSON(nil, tuple)
	}
	if err != nil {
		return Event{}, fmt.Errorf("render event %s: %w", e.ID, err)
	}
	return Event{Event: &e, Body: body, tuple: tuple}, nil
}

// Filter says which events a receiver gets. The zero Filter lets all through.
type Filter struct {
	// MinSeverity is the lowest severity that is sent; empty is low.
	MinSeverity audit.Severity
	// EventTypes are the types that are sent; none are all.
	EventTypes []string
}

// Lets reports whether an event is sent.
func (f Filter) Lets(e *audit.Event) bool {
	return rank(e.Severity) >= rank(f.MinSeverity) && (len(f.EventTypes) == 0 || slices.Contains(f.EventTypes, e.EventType))
}

// rank orders severities; what is none is the highest, so that it is not left out.
func rank(s audit.Severity) int {
	switch s {
	case "", audit.SeverityLow:
		return 0
	case audit.SeverityMedium:
		return 1
	case audit.SeverityHigh:
		return 2
	case audit.SeverityCritical:
	}
	return 3
}
