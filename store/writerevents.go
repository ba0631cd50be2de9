package store

import (
	"errors"
	"fmt"

	"sark/internal/audit"
	"sark/store/spool"
)

// maxDoubts is how many doubts are kept about events for which no digest accounts: there is no root to wait for.
const maxDoubts = 1000

// events verifies the events of a batch against its root; nil when there is none to trust.
func (w *writerCheck) events(first, last int64, root *[32]byte) error {
	w.tree.Reset()
	w.due = max(w.due, first)
	if err := w.readTo(last, root); err != nil {
		return err
	}
	if w.due <= last {
		w.hole(last)
		w.due = last + 1
	}
	w.settle(first, last, root)
	return nil
}

// readTo takes in the events up to the number last.
func (w *writerCheck) readTo(last int64, root *[32]byte) error {
	for w.more && w.row.Seq <= last {
		if w.row.Seq > w.due {
			w.hole(w.row.Seq - 1)
		}
		if err := w.event(w.row.Seq); err != nil {
			return err
		}
		if root == nil && len(w.batch) >= maxDoubts {
			w.settle(w.due, w.due-1, nil)
		}
	}
	return nil
}

// hole notes that there is no event from the one that is due to the number last.
func (w *writerCheck) hole(last int64) {
	w.batch = append(w.batch, &doubt{kind: doubtHole, first: w.due, last: last})
	w.chain.lose()
}

// event takes in the events of one number, of which there should be one.
func (w *writerCheck) event(seq int64) error {
	same, damage, err := w.choose(seq)
	if err != nil {
		return err
	}
	w.due = seq + 1
	if same > 1 {
		w.doubt(doubtSure, seq, FindingForked, fmt.Sprintf("%d events have this number", same))
	}
	if damage != nil {
		w.unreadable(seq, damage)
		return nil
	}
	return w.check(seq)
}

// unreadable takes in an event that has no tuple.
func (w *writerCheck) unreadable(seq int64, damage error) {
	w.chain.lose()
	if !errors.Is(damage, audit.ErrNewer) {
		w.doubt(doubtSure, seq, FindingChanged, "it cannot be read: "+damage.Error())
		return
	}
	w.doubt(doubtSure, seq, FindingNewer, damage.Error()+"; verify it with that version")
	w.newer = seq
}

// choose copies the event of a number into w.tuple, or else says what is wrong with it. Of several it is the one that
// follows the event before.
func (w *writerCheck) choose(seq int64) (same int, damage, err error) {
	for fits := false; w.more && w.row.Seq == seq; same++ {
		better := same == 0 || !fits && w.row.Damage == nil && w.chain.fits(w.row.Tuple)
		if better {
			w.tuple, damage = append(w.tuple[:0], w.row.Tuple...), w.row.Damage
			fits = damage == nil && w.chain.fits(w.tuple)
		}
		w.v.countEvent()
		if err := w.advance(); err != nil {
			return same, damage, err
		}
	}
	return same, damage, nil
}

// check brings the event in w.tuple into tree and chain.
func (w *writerCheck) check(seq int64) error {
	if err := w.tree.Add(w.tuple); err != nil {
		return err
	}
	_, _, sum, err := audit.Place(w.tuple)
	if err != nil {
		return err
	}
	w.head.Seq, w.head.Hash = seq, sum
	gap := w.gapReason()
	if d := w.chain.next(seq, w.tuple, sum); d != nil {
		d.gap = gap
		w.batch = append(w.batch, d)
	}
	if gap != "" {
		w.doubt(doubtGap, seq, FindingGap, "the gateway recorded that events were lost: "+gap)
	}
	w.compareHeads(seq, sum)
	return nil
}

func (w *writerCheck) doubt(kind doubtKind, seq int64, finding FindingKind, detail string) {
	w.batch = append(w.batch, &doubt{kind: kind, first: seq, last: seq, finding: finding, detail: detail})
}

// gapReason is why the event in w.tuple says that others were lost, empty when it does not.
func (w *writerCheck) gapReason() string {
	var fields audit.Fields
	if err := audit.SplitTuple(w.tuple, &fields); err != nil || string(fields[w.eventType]) != spool.GapEvent {
		return ""
	}
	e, err := audit.DecodeTuple(w.tuple)
	if err != nil {
		return "unreadable"
	}
	return e.Reason + " " + string(e.Details)
}

func (w *writerCheck) compareHeads(seq int64, sum [32]byte) {
	for _, h := range w.v.o.Heads {
		if h.Writer == w.info.Writer && h.Seq == seq && h.Hash != sum {
			w.doubt(doubtSure, seq, FindingReplaced, "a head gives another hash; the trail was written anew")
		}
	}
}
