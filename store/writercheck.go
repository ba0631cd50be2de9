package store

import (
	"context"
	"math"
	"slices"

	"sark/internal/audit"
)

// writerCheck verifies one writer: it walks along its digests and along its events side by side.
type writerCheck struct {
	v     *verification
	info  WriterState
	span  Span
	chain *chainCheck
	tree  *audit.Tree

	pull  func() (Row, error, bool) // in the order of iter.Pull2
	row   Row                       // the one that comes next, if more
	more  bool
	tuple []byte // of the event in hand

	due     int64    // the number that the next event should have
	covered int64    // digests account for the numbers up to here
	digest  *Digest  // the signed one before, nil before the first
	claimed Span     // the numbers of digests before that are not signed
	batch   []*doubt // in the batch in hand
	damaged bool     // something was wrong with the batch before
	head    VerifiedHead
	newer   int64 // the last event in a format that is not known, 0 without any

	eventType int // the column's place
}

func newWriterCheck(v *verification, info WriterState, span Span, pull func() (Row, error, bool)) *writerCheck {
	w := &writerCheck{v: v, info: info, span: span, pull: pull, tree: audit.NewTree(), due: max(span.First, 1)}
	w.chain = newChainCheck()
	w.eventType = slices.IndexFunc(audit.Columns(), func(c audit.Column) bool { return c.Name == "event_type" })
	if span.First <= 1 { // else the event before the first is not read
		w.chain.expect(audit.GenesisHash(info.Writer))
	}
	return w
}

func (w *writerCheck) verify(ctx context.Context) error {
	if err := w.advance(); err != nil {
		return err
	}
	for w.more && w.row.Seq < 1 {
		w.find(FindingForked, w.row.Seq, w.row.Seq, "no gateway gives this number")
		if err := w.advance(); err != nil {
			return err
		}
	}
	for d, err := range digestsOf(ctx, w.v.trail, w.info.Writer) {
		if err != nil {
			return err
		}
		if err := w.follow(&d); err != nil {
			return err
		}
	}
	return w.finish()
}

// advance takes up the next row.
func (w *writerCheck) advance() (err error) {
	w.row, err, w.more = w.pull()
	return err
}

func (w *writerCheck) find(kind FindingKind, first, last int64, detail string) {
	w.v.findings.add(Finding{Kind: kind, Writer: w.info.Writer, First: first, Last: last, Detail: detail})
}

// follow verifies a digest, and the events for which it accounts.
func (w *writerCheck) follow(d *Digest) error {
	chosen := d.Last >= w.span.First && d.First <= w.span.Last
	signature := d.Check(w.v.o.Keys)
	if chosen {
		w.v.result.Digests++
	}
	if signature != nil {
		if chosen {
			w.find(FindingDigest, d.First, d.Last, signature.Error())
			w.claim(d)
		}
		return nil
	}
	before := w.digest
	w.digest = d
	if !chosen {
		w.covered = d.Last
		return nil
	}
	if d.First <= w.covered {
		w.find(FindingDigest, d.First, d.Last, "the digest accounts for numbers that are another one's; the gateway has signed two histories")
		return nil
	}
	if err := w.uncovered(max(w.covered+1, w.span.First), d.First-1); err != nil {
		return err
	}
	w.checkPlace(d, before)
	w.covered = d.Last
	w.head.Until = d.CreatedAt
	return w.events(d.First, d.Last, &d.Root)
}

// claim notes for which numbers a digest stands that is not to be trusted: that they have no other is no news then.
func (w *writerCheck) claim(d *Digest) {
	if d.First != w.claimed.Last+1 || w.claimed.First == 0 {
		w.claimed.First = d.First
	}
	w.claimed.Last = d.Last
}

// checkPlace looks whether a digest follows the one before it. Nobody but the gateway can sign, so that this fails only when
// the gateway has signed two histories.
func (w *writerCheck) checkPlace(d, before *Digest) {
	previous := audit.GenesisHash(w.info.Writer)
	if before != nil {
		previous = before.Hash()
	}
	if d.First == w.covered+1 && d.Previous != previous {
		w.find(FindingDigest, d.First, d.Last, "the digest does not follow the one before it; the gateway has signed two histories")
	}
}

const notCovered = "no digest accounts for them; it was deleted, or never made"

// uncovered reports that no digest accounts for some numbers, and checks the events as far as the chain goes.
func (w *writerCheck) uncovered(first, last int64) error {
	if first > last {
		return nil
	}
	if w.claimed.First != first || w.claimed.Last != last {
		w.find(FindingUnsigned, first, last, notCovered)
	}
	return w.events(first, last, nil)
}

// finish looks at what comes after the last digest.
func (w *writerCheck) finish() error {
	open := w.span.Last == math.MaxInt64
	if open {
		if err := w.tail(); err != nil {
			return err
		}
	}
	seq := max(w.head.Seq, w.newer)
	if w.span.First > 1 { // what was not to be verified may be gone
		seq = max(seq, w.span.First-1)
	}
	for _, h := range w.v.o.Heads {
		if open && h.Writer == w.info.Writer && h.Seq > seq {
			w.find(FindingMissing, seq+1, h.Seq, "a head names them; the end of the trail was cut off")
		}
	}
	w.v.last[w.info.Writer] = max(seq, w.covered)
	if w.head.Seq > 0 {
		w.head.Writer = w.info.Writer
		w.v.result.Heads = append(w.v.result.Heads, w.head)
	}
	return nil
}

// tail checks what is there at the end without a digest that accounts for it.
func (w *writerCheck) tail() error {
	first := max(w.covered+1, w.span.First)
	if err := w.uncovered(first, w.info.Offset); err != nil {
		return err
	}
	for w.more {
		w.find(FindingUnsigned, w.row.Seq, w.row.Seq, notCovered)
		w.v.countEvent()
		if err := w.advance(); err != nil {
			return err
		}
	}
	return nil
}
