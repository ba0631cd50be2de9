package spool

import "sark/internal/audit"

// orphan is an exchange whose intent or open event has no outcome.
type orphan struct {
	ref   uint64
	open  bool // it has an open event in the trail
	tuple []byte
}

// follow keeps the list of exchanges that have no outcome yet.
func (f *findings) follow(rec record) {
	for i := range f.orphans {
		if f.orphans[i].ref != rec.ref {
			continue
		}
		if !rec.open {
			f.orphans = append(f.orphans[:i], f.orphans[i+1:]...)
			return
		}
		f.orphans[i].open = f.orphans[i].open || rec.kind == kindEvent
		return
	}
	if rec.open {
		f.orphans = append(f.orphans, orphan{
			ref: rec.ref, open: rec.kind == kindEvent, tuple: append([]byte(nil), rec.payload...),
		})
	}
}

// appendOrphansLocked gives every exchange that has no outcome the outcome "unknown", and returns how many records there are
// now.
func (s *Spool) appendOrphansLocked(orphans []orphan) uint64 {
	for _, o := range orphans {
		e, err := audit.DecodeTuple(o.tuple)
		if err != nil {
			s.appendGapLocked(gap{reason: "orphan_unreadable", events: 1})
			continue
		}
		e.Phase, e.Outcome, e.Success = audit.PhaseSingle, audit.OutcomeUnknown, false
		if o.open {
			e.Phase, e.ID = audit.PhaseClose, audit.NewID(e.Time)
		}
		if e.Severity == audit.SeverityLow {
			e.Severity = audit.SeverityMedium
		}
		e.ErrorMessage = "the gateway ended before the outcome was recorded"
		tuple := audit.AppendTuple(nil, &e)
		s.used.Add(int64(recordHeader + len(tuple)))
		s.appendLocked(kindEvent, false, o.ref, tuple)
		s.stats.orphans.Add(1)
	}
	return s.appended
}
