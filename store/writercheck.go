package store

import (
	"context"
	"math"
	"slices"

	"sark/internal/audit"
)

// lane verifies one writer: it walks along its digests and along its events side by side.
type lane struct {
	v     *verification
	info  Lane
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

	eventType int // the column's place
}

func newLane(v *verification, info Lane, span Span, pull func() (Row, error, bool)) *lane {
	l := &lane{v: v, info: info, span: span, pull: pull, tree: audit.NewTree(), due: max(span.First, 1)}
	l.chain = newChainCheck()
	l.eventType = slices.IndexFunc(audit.Columns(), func(c audit.Column) bool { return c.Name == "event_type" })
	if span.First <= 1 { // else the event before the first is not read
		l.chain.expect(audit.GenesisHash(info.Writer))
	}
	return l
}

func (l *lane) verify(ctx context.Context) error {
	if err := l.advance(); err != nil {
		return err
	}
	for l.more && l.row.Seq < 1 {
		l.find(FindingForked, l.row.Seq, l.row.Seq, "no gateway gives this number")
		if err := l.advance(); err != nil {
			return err
		}
	}
	for d, err := range digestsOf(ctx, l.v.trail, l.info.Writer) {
		if err != nil {
			return err
		}
		if err := l.follow(&d); err != nil {
			return err
		}
	}
	return l.finish()
}

// advance takes up the next row.
func (l *lane) advance() (err error) {
	l.row, err, l.more = l.pull()
	return err
}

func (l *lane) find(kind FindingKind, first, last int64, detail string) {
	l.v.findings.add(Finding{Kind: kind, Writer: l.info.Writer, First: first, Last: last, Detail: detail})
}

// follow verifies a digest, and the events for which it accounts.
func (l *lane) follow(d *Digest) error {
	chosen := d.Last >= l.span.First && d.First <= l.span.Last
	signature := d.Check(l.v.o.Keys)
	if chosen {
		l.v.result.Digests++
	}
	if signature != nil {
		if chosen {
			l.find(FindingDigest, d.First, d.Last, signature.Error())
			l.claim(d)
		}
		return nil
	}
	before := l.digest
	l.digest = d
	if !chosen {
		l.covered = d.Last
		return nil
	}
	if d.First <= l.covered {
		l.find(FindingDigest, d.First, d.Last, "the digest accounts for numbers that are another one's; the gateway has signed two histories")
		return nil
	}
	if err := l.uncovered(max(l.covered+1, l.span.First), d.First-1); err != nil {
		return err
	}
	l.checkPlace(d, before)
	l.covered = d.Last
	l.head.Until = d.CreatedAt
	return l.events(d.First, d.Last, &d.Root)
}

// claim notes for which numbers a digest stands that is not to be trusted: that they have no other is no news then.
func (l *lane) claim(d *Digest) {
	if d.First != l.claimed.Last+1 || l.claimed.First == 0 {
		l.claimed.First = d.First
	}
	l.claimed.Last = d.Last
}

// checkPlace looks whether a digest follows the one before it. Nobody but the gateway can sign, so that this fails only when
// the gateway has signed two histories.
func (l *lane) checkPlace(d, before *Digest) {
	previous := audit.GenesisHash(l.info.Writer)
	if before != nil {
		previous = before.Hash()
	}
	if d.First == l.covered+1 && d.Previous != previous {
		l.find(FindingDigest, d.First, d.Last, "the digest does not follow the one before it; the gateway has signed two histories")
	}
}

const notCovered = "no digest accounts for them; it was deleted, or never made"

// uncovered reports that no digest accounts for some numbers, and checks the events as far as the chain goes.
func (l *lane) uncovered(first, last int64) error {
	if first > last {
		return nil
	}
	if l.claimed.First != first || l.claimed.Last != last {
		l.find(FindingUnsigned, first, last, notCovered)
	}
	return l.events(first, last, nil)
}

// finish looks at what comes after the last digest.
func (l *lane) finish() error {
	open := l.span.Last == math.MaxInt64
	if open {
		if err := l.tail(); err != nil {
			return err
		}
	}
	seq := l.head.Seq
	if l.span.First > 1 { // what was not to be verified may be gone
		seq = max(seq, l.span.First-1)
	}
	for _, h := range l.v.o.Heads {
		if open && h.Writer == l.info.Writer && h.Seq > seq {
			l.find(FindingMissing, seq+1, h.Seq, "a head names them; the end of the trail was cut off")
		}
	}
	l.v.last[l.info.Writer] = max(seq, l.covered)
	if l.head.Seq > 0 {
		l.head.Writer = l.info.Writer
		l.v.result.Heads = append(l.v.result.Heads, l.head)
	}
	return nil
}

// tail checks what is there at the end without a digest that accounts for it.
func (l *lane) tail() error {
	first := max(l.covered+1, l.span.First)
	if err := l.uncovered(first, l.info.Offset); err != nil {
		return err
	}
	for l.more {
		l.find(FindingUnsigned, l.row.Seq, l.row.Seq, notCovered)
		l.v.countEvent()
		if err := l.advance(); err != nil {
			return err
		}
	}
	return nil
}
