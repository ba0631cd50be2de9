package store

import "github.com/google/uuid"

// FindingKind says what is wrong with an audit trail.
type FindingKind string

// The kinds of findings.
const (
	// FindingGap: events are missing, and the gateway itself signed that it never stored them. It is no sign of tampering.
	FindingGap FindingKind = "gap"
	// FindingExpired: events were removed for their age, and a gateway signed that. It is no sign of tampering.
	FindingExpired FindingKind = "expired"
	// FindingChanged: the columns of an event are not those that were recorded.
	FindingChanged FindingKind = "changed"
	// FindingReplaced: an event, or a batch of them, is not the one that was signed, though it looks whole.
	FindingReplaced FindingKind = "replaced"
	// FindingReordered: two events have exchanged their places.
	FindingReordered FindingKind = "reordered"
	// FindingMissing: events were deleted, or the end of the trail was cut off.
	FindingMissing FindingKind = "missing"
	// FindingForked: several events have one number.
	FindingForked FindingKind = "forked"
	// FindingUnsigned: no digest accounts for events.
	FindingUnsigned FindingKind = "unsigned"
	// FindingDigest: a digest is not the one that was signed.
	FindingDigest FindingKind = "digest"
	// FindingNewer: events were sealed in a format of a later version of SARK, which alone can verify them.
	FindingNewer FindingKind = "newer"
	// FindingForeign: rows belong to no writer.
	FindingForeign FindingKind = "foreign"
)

// Finding is a place in an audit trail where it is not what gateways have recorded.
type Finding struct {
	Kind   FindingKind
	Writer uuid.UUID
	// First and Last are the numbers of the events that are concerned.
	First, Last int64
	// Detail is a sentence without a full stop that says what differs.
	Detail string
}

// Recorded reports whether the gateway itself has recorded what the finding says, so that it is no sign of tampering.
func (f *Finding) Recorded() bool { return f.Kind == FindingGap || f.Kind == FindingExpired }

// findings passes findings on, neighbours that say the same as one. Its zero value with a sink is ready.
type findings struct {
	sink  func(Finding)
	held  *Finding
	count int64 // that were not recorded by a gateway
	gaps  int64 // that were, beside events that were removed for their age
}

func (f *findings) add(next Finding) {
	if h := f.held; h != nil && h.Kind == next.Kind && h.Writer == next.Writer && h.Detail == next.Detail && next.First == h.Last+1 {
		h.Last = next.Last
		return
	}
	f.flush()
	f.held = &next
}

// flush passes on what is held back in case that a neighbour follows.
func (f *findings) flush() {
	if f.held == nil {
		return
	}
	switch {
	case f.held.Kind == FindingGap:
		f.gaps++
	case !f.held.Recorded():
		f.count++
	}
	if f.sink != nil {
		f.sink(*f.held)
	}
	f.held = nil
}
