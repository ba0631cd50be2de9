package store

import (
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// EventFilter selects events of the audit trail. Filters are joined by AND; a zero field selects all.
type EventFilter struct {
	ID         uuid.UUID // one event
	ExchangeID uuid.UUID // the events of one exchange
	DecisionID uuid.UUID // the events of one decision
	UserID     string
	Server     string // the registry's id of a server when it is a UUID, else its name
	Tool       string
	Decision   string // "allow" or "deny"
	Outcome    string
	EventType  string
	Severity   []string
	Action     string // for example "tool:invoke"
	Rule       string // of the policy
	Phase      string
	SessionID  string // the digest that the trail keeps of a session's id
	TraceID    string
	IP         netip.Addr
	From       time.Time // events at this time or later
	To         time.Time // events before this time
	Limit      int       // 1 to MaxLimit; 0 is DefaultLimit
	Cursor     string    // NextCursor of the page before, or empty
}

// Validate reports the first filter whose value could never match, as a FilterError.
func (f *EventFilter) Validate() error {
	outcomes := []string{
		"", string(audit.OutcomeAllowed), string(audit.OutcomeDenied), string(audit.OutcomeError), string(audit.OutcomeClientGone),
		string(audit.OutcomeUpstreamFailed), string(audit.OutcomeUnknown),
	}
	if err := among("decision", []string{f.Decision}, []string{"", "allow", "deny"}); err != nil {
		return err
	}
	if err := among("outcome", []string{f.Outcome}, outcomes); err != nil {
		return err
	}
	if err := among("severity", f.Severity, Severities()); err != nil {
		return err
	}
	if err := among("phase", []string{f.Phase}, append(Phases(), "")); err != nil {
		return err
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return &FilterError{Field: "to", Value: f.To.Format(time.RFC3339Nano)}
	}
	return validLimit(f.Limit)
}

// Severities lists the severities of events, least first.
func Severities() []string {
	return []string{string(audit.SeverityLow), string(audit.SeverityMedium), string(audit.SeverityHigh), string(audit.SeverityCritical)}
}

// Phases lists what an event may tell of: a whole exchange, or the beginning or end of one that lasts.
func Phases() []string {
	return []string{string(audit.PhaseSingle), string(audit.PhaseOpen), string(audit.PhaseClose)}
}

// Urgent reports whether the filter is for events of high and critical severity only, for which there is an index.
func (f *EventFilter) Urgent() bool {
	return len(f.Severity) > 0 && !slices.ContainsFunc(f.Severity, func(s string) bool {
		return s != string(audit.SeverityHigh) && s != string(audit.SeverityCritical)
	})
}

// PageSize is the limit that is in force.
func (f *EventFilter) PageSize() int { return pageSize(f.Limit) }

// EventPage is one page of the audit trail, newest event first.
type EventPage struct {
	Items      []audit.Event
	NextCursor string // for the next, older page; empty on the last one
	HasMore    bool
}
