package store

import (
	"fmt"

	"sark/internal/audit"
	"sark/store/spool"
)

// maxDoubts is how many doubts are kept about events for which no digest accounts: there is no root to wait for.
const maxDoubts = 1000

// events verifies the events of a batch against its root; nil when there is none to trust.
func (l *lane) events(first, last int64, root *[32]byte) error {
	l.tree.Reset()
	l.due = max(l.due, first)
	if err := l.readTo(last, root); err != nil {
		return err
	}
	if l.due <= last {
		l.hole(last)
		l.due = last + 1
	}
	l.settle(first, last, root)
	return nil
}

// readTo takes in the events up to the number last.
func (l *lane) readTo(last int64, root *[32]byte) error {
	for l.more && l.row.Seq <= last {
		if l.row.Seq > l.due {
			l.hole(l.row.Seq - 1)
		}
		if err := l.event(l.row.Seq); err != nil {
			return err
		}
		if root == nil && len(l.batch) >= maxDoubts {
			l.settle(l.due, l.due-1, nil)
		}
	}
	return nil
}

// hole notes that there is no event from the one that is due to the number last.
func (l *lane) hole(last int64) {
	l.batch = append(l.batch, &doubt{kind: doubtHole, first: l.due, last: last})
	l.chain.lose()
}

// event takes in the events of one number, of which there should be one.
func (l *lane) event(seq int64) error {
	same, damage, err := l.choose(seq)
	if err != nil {
		return err
	}
	l.due = seq + 1
	if same > 1 {
		l.doubt(doubtSure, seq, FindingForked, fmt.Sprintf("%d events have this number", same))
	}
	if damage != nil {
		l.doubt(doubtSure, seq, FindingChanged, "it cannot be read: "+damage.Error())
		l.chain.lose()
		return nil
	}
	return l.check(seq)
}

// choose copies the event of a number into l.tuple, or else says what is wrong with it. Of several it is the one that
// follows the event before.
func (l *lane) choose(seq int64) (same int, damage, err error) {
	for fits := false; l.more && l.row.Seq == seq; same++ {
		better := same == 0 || !fits && l.row.Damage == nil && l.chain.fits(l.row.Tuple)
		if better {
			l.tuple, damage = append(l.tuple[:0], l.row.Tuple...), l.row.Damage
			fits = damage == nil && l.chain.fits(l.tuple)
		}
		l.v.countEvent()
		if err := l.advance(); err != nil {
			return same, damage, err
		}
	}
	return same, damage, nil
}

// check brings the event in l.tuple into tree and chain.
func (l *lane) check(seq int64) error {
	if err := l.tree.Add(l.tuple); err != nil {
		return err
	}
	_, _, sum, err := audit.Place(l.tuple)
	if err != nil {
		return err
	}
	l.head.Seq, l.head.Hash = seq, sum
	gap := l.gapReason()
	if d := l.chain.next(seq, l.tuple, sum); d != nil {
		d.gap = gap
		l.batch = append(l.batch, d)
	}
	if gap != "" {
		l.doubt(doubtGap, seq, FindingGap, "the gateway recorded that events were lost: "+gap)
	}
	l.compareHeads(seq, sum)
	return nil
}

func (l *lane) doubt(kind doubtKind, seq int64, finding FindingKind, detail string) {
	l.batch = append(l.batch, &doubt{kind: kind, first: seq, last: seq, finding: finding, detail: detail})
}

// gapReason is why the event in l.tuple says that others were lost, empty when it does not.
func (l *lane) gapReason() string {
	var fields audit.Fields
	if err := audit.SplitTuple(l.tuple, &fields); err != nil || string(fields[l.eventType]) != spool.GapEvent {
		return ""
	}
	e, err := audit.DecodeTuple(l.tuple)
	if err != nil {
		return "unreadable"
	}
	return e.Reason + " " + string(e.Details)
}

func (l *lane) compareHeads(seq int64, sum [32]byte) {
	for _, h := range l.v.o.Heads {
		if h.Writer == l.info.Writer && h.Seq == seq && h.Hash != sum {
			l.doubt(doubtSure, seq, FindingReplaced, "a head gives another hash; the trail was written anew")
		}
	}
}
