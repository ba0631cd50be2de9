package store

// doubtKind says what raised a doubt.
type doubtKind uint8

const (
	doubtSure  doubtKind = iota // it is a finding whatever the batch's root says
	doubtHole                   // there are no events of these numbers
	doubtChain                  // the event's hash is not that of its columns after the event before
	doubtGap                    // the event says that others were lost
)

// nextEvent says what the event after a doubtful one follows.
type nextEvent uint8

const (
	nextUnknown        nextEvent = iota // there is none
	nextFollowsRow                      // the hash that stands in the row
	nextFollowsColumns                  // the hash that the columns give
	nextFollowsNeither
	nextFollowsTwin // no, but the one after the next does follow the row: the two were exchanged
)

// doubt is what may be a finding. The root of its batch decides: when that is right, all hashes and the holes between them
// are as they were signed.
type doubt struct {
	kind        doubtKind
	first, last int64
	finding     FindingKind // of doubtSure and doubtGap
	detail      string
	next        nextEvent // of doubtChain
	gap         string    // why the event says that others were lost, empty when it does not
}

// settle turns the doubts about a batch into findings. root is nil when there is no digest to trust.
func (w *writerCheck) settle(first, last int64, root *[32]byte) {
	signed := root != nil && w.tree.Root() == *root
	wrong := root == nil
	for _, d := range w.batch {
		f, ok := w.judge(d, first, root != nil, signed)
		if !ok {
			continue
		}
		f.Writer = w.info.Writer
		wrong = wrong || !f.Recorded()
		w.v.findings.add(f)
	}
	if root != nil && !signed && !wrong {
		wrong = true
		w.find(FindingReplaced, first, last, "the events are not those that were signed; this or a later part of the chain was written anew")
	}
	w.batch, w.damaged = w.batch[:0], wrong
}

// judge decides a doubt about a batch that begins at first; false when there is nothing to report.
func (w *writerCheck) judge(d *doubt, first int64, rooted, signed bool) (Finding, bool) {
	f := Finding{Kind: d.finding, First: d.first, Last: d.last, Detail: d.detail}
	switch d.kind {
	case doubtSure:
		return f, true
	case doubtGap:
		return f, signed
	case doubtHole:
		f.Kind, f.Detail = FindingMissing, "they were deleted; the event after them cannot be checked by itself"
		if signed {
			f.Kind, f.Detail = FindingGap, "the gateway signed that it never stored them"
		}
		return f, true
	case doubtChain:
	}
	if signed && d.first == first {
		return w.judgeJoint(d, f)
	}
	if d.next == nextFollowsTwin {
		f.Kind, f.Detail = FindingReordered, "the two were exchanged"
		return f, true
	}
	f.Kind, f.Detail = FindingChanged, d.describe(signed)
	if rooted && !signed && d.first > first && (d.next == nextFollowsRow || d.next == nextUnknown) {
		f.Kind, f.First, f.Detail = FindingReplaced, d.first-1, "the second does not follow the first; one of them was replaced"
	}
	return f, true
}

// judgeJoint decides a doubt about the first event of a batch that is as it was signed: it is the event before that was
// changed, unless the chain was begun anew in the sight of all.
func (w *writerCheck) judgeJoint(d *doubt, f Finding) (Finding, bool) {
	switch {
	case w.damaged:
		return f, false // said of the batch before
	case d.gap != "":
		f.Kind, f.Detail = FindingGap, "the chain begins anew here, as the gateway recorded"
	default:
		f.Kind, f.First, f.Detail = FindingReplaced, d.first-1, "the second does not follow the first, which was replaced"
	}
	return f, true
}

// describe says what is wrong with the event itself.
func (d *doubt) describe(signed bool) string {
	switch {
	case signed:
		return "its columns are not those that were signed"
	case d.next == nextFollowsColumns:
		return "its hash was replaced; its other columns are those that were recorded"
	case d.next == nextFollowsNeither:
		return "its columns do not give its hash; neither does the event after it follow, which cannot be checked"
	}
	return "its columns do not give its hash"
}
