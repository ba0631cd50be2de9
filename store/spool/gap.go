package spool

import (
	"encoding/json"

	"sark/internal/audit"
)

// gap is something that is missing from the trail, or may be.
type gap struct {
	reason   string // "shed", "refusals_dropped", "damage", "torn_tail", "sink_ahead" or "orphan_unreadable"
	segment  string // the file, where there is one
	from, to int64  // the numbers that are missing; 0 when no number is
	bytes    int64  // that could not be read
	events   int64  // that were dropped
}

// GapEvent is the event type of an event that says what is missing from the trail.
const GapEvent = "audit_gap"

// appendGapLocked adds an event that says so to the chain.
func (s *Spool) appendGapLocked(g gap) {
	s.gap = s.gapTuple(g)
	s.used.Add(int64(recordHeader + len(s.gap)))
	s.appendLocked(kindGap, false, 0, s.gap)
	s.stats.gaps.Add(1)
}

// gapTuple is the event that says so, in the scratch of gap events.
func (s *Spool) gapTuple(g gap) []byte {
	now := s.o.Now().UTC()
	var d audit.Details
	if g.segment != "" {
		d.Text("segment", g.segment)
	}
	for name, n := range map[string]int64{"first_missing": g.from, "last_missing": g.to, "bytes": g.bytes, "events": g.events} {
		if n != 0 {
			d.Number(name, n)
		}
	}
	e := audit.Event{
		ID: audit.NewID(now), Time: now, ClassUID: 2004, EventType: GapEvent, Severity: audit.SeverityHigh,
		Phase: audit.PhaseSingle, Outcome: audit.OutcomeError, Reason: g.reason, PrincipalType: "system", ResourceType: "audit",
		ErrorMessage: "events are missing from the audit trail", Details: d.Append(nil),
	}
	return audit.AppendTuple(s.gap[:0], &e)
}

// readGap is what a gap event says; false when it cannot be read.
func readGap(tuple []byte) (gap, bool) {
	e, err := audit.DecodeTuple(tuple)
	if err != nil {
		return gap{}, false
	}
	var d struct {
		From int64 `json:"first_missing"`
		To   int64 `json:"last_missing"`
	}
	if err := json.Unmarshal(e.Details, &d); err != nil {
		return gap{}, false
	}
	return gap{reason: e.Reason, from: d.From, to: d.To}, true
}

// reportShedLocked says how many events were dropped since it was last said.
func (s *Spool) reportShedLocked() {
	if s.shed > 0 {
		s.appendGapLocked(gap{reason: "shed", events: s.shed})
		s.shed = 0
	}
	if s.dropped > 0 {
		s.appendGapLocked(gap{reason: "refusals_dropped", events: s.dropped})
		s.dropped = 0
	}
}
