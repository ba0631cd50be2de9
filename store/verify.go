package store

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"github.com/google/uuid"
)

// VerifyOptions say what of a trail is verified, and against what.
type VerifyOptions struct {
	// Keys are the public keys whose digests are trusted. Without any, every digest is a finding.
	Keys []ed25519.PublicKey
	// From and To choose the batches that were stored at From or later and before To, by the times in their digests. Zero
	// sets no bound.
	From, To time.Time
	// Writer chooses one writer; zero chooses all.
	Writer uuid.UUID
	// Heads are the ends of chains as they were known earlier: those events must still be there.
	Heads []Head
	// DigestFile is a copy of digests as DigestFile keeps it: all of them must still be there. It may be nil.
	DigestFile io.Reader
	// Found receives each finding as it is made. It may be nil.
	Found func(Finding)
	// Progress is told from time to time how many events were read, and about how many there are. It may be nil.
	Progress func(done, total int64)
}

// Verification is what Verify has looked at.
type Verification struct {
	// Events, Digests and Writers count what was verified.
	Events, Digests int64
	Writers         int
	// Heads are the last events of the writers, and when they were stored.
	Heads []VerifiedHead
	// Findings counts what is wrong, Gaps what is missing by the gateways' own account.
	Findings, Gaps int64
}

// VerifiedHead is the last event of a writer.
type VerifiedHead struct {
	Head
	// Until is when it was stored, by its digest; zero when it has none.
	Until time.Time
}

// Until is when the newest batch was stored, by its digest.
func (v *Verification) Until() (until time.Time) {
	for _, h := range v.Heads {
		if h.Until.After(until) {
			until = h.Until
		}
	}
	return until
}

// progressEvery is how many events are read between two reports of progress.
const progressEvery = 4096

// Verify reads a trail and reports where it is not what gateways have recorded. It computes every event's hash and every
// batch's Merkle root anew, and checks the signature of every digest: so it finds events that were changed, deleted,
// inserted or put in another order. Events that were cut off at the end together with their digests, and the offset, it finds
// only against an earlier head or a copy of the digests. It holds a batch's findings in memory, not its events.
//
// The error says why the trail could not be read; that it is damaged is no error.
func Verify(ctx context.Context, trail Trail, o VerifyOptions) (Verification, error) {
	v := &verification{o: o, trail: trail, findings: findings{sink: o.Found}, last: make(map[uuid.UUID]int64)}
	if err := v.run(ctx); err != nil {
		return v.result, fmt.Errorf("verify the audit trail: %w", err)
	}
	v.result.Findings, v.result.Gaps = v.findings.count, v.findings.gaps
	return v.result, nil
}

// verification is a run of Verify.
type verification struct {
	o        VerifyOptions
	trail    Trail
	findings findings
	result   Verification
	last     map[uuid.UUID]int64 // the number of each writer's last event
	total    int64
	expired  RetentionMark // the signed one with the latest cutoff; zero: nothing was removed
}

func (v *verification) run(ctx context.Context) error {
	if err := v.readMarks(ctx); err != nil {
		return err
	}
	writers, err := v.trail.Writers(ctx)
	if err != nil {
		return err
	}
	for _, w := range writers {
		v.total += w.Events
	}
	for _, w := range writers {
		if err := v.verifyWriter(ctx, w); err != nil {
			return err
		}
	}
	v.missingWriters()
	if v.o.DigestFile != nil {
		err = v.verifyFile(ctx)
	}
	v.findings.flush()
	v.progress(v.total)
	return err
}

func (v *verification) verifyWriter(ctx context.Context, info WriterState) error {
	if v.o.Writer != uuid.Nil && v.o.Writer != info.Writer {
		v.last[info.Writer] = math.MaxInt64
		return nil
	}
	if info.Foreign != "" {
		v.findings.add(Finding{Kind: FindingForeign, Detail: fmt.Sprintf("%d events have the writer_id %s, which no gateway has", info.Events, info.Foreign)})
		return nil
	}
	span, err := v.span(ctx, info.Writer)
	if err != nil {
		return err
	}
	next, stop := iter.Pull2(v.trail.Events(ctx, span))
	defer stop()
	w := newWriterCheck(v, info, span, next)
	if err := w.verify(ctx); err != nil {
		return err
	}
	v.result.Writers++
	v.findings.flush()
	return nil
}

// span is the numbers of the batches that were chosen by their time. What is not signed chooses nothing: it may not take
// itself, or what it stands for, out of sight.
func (v *verification) span(ctx context.Context, writer uuid.UUID) (Span, error) {
	span := Span{Writer: writer, First: math.MinInt64, Last: math.MaxInt64}
	from := v.from()
	if from.IsZero() && v.o.To.IsZero() {
		return span, nil
	}
	span.First = 1
	for d, err := range digestsOf(ctx, v.trail, writer) {
		if err != nil {
			return span, err
		}
		if d.Check(v.o.Keys) != nil {
			continue
		}
		if !v.o.To.IsZero() && !d.CreatedAt.Before(v.o.To) {
			span.Last = d.First - 1
			break
		}
		if d.CreatedAt.Before(from) {
			span.First = d.Last + 1
		}
	}
	if span.First > 1 && v.expired.Cutoff.After(v.o.From) {
		v.findings.add(Finding{
			Kind: FindingExpired, Writer: writer, First: 1, Last: span.First - 1,
			Detail: fmt.Sprintf("removed, or to be removed, by retention: stored before %s (%s)", v.expired.Cutoff.Format(time.RFC3339), v.expired.Rule),
		})
	}
	return span, nil
}

// readMarks finds the latest mark that is signed. One that is not is no excuse for anything.
func (v *verification) readMarks(ctx context.Context) error {
	marks, err := v.trail.RetentionMarks(ctx)
	if err != nil {
		return err
	}
	for _, m := range marks {
		if err := m.Check(v.o.Keys); err != nil {
			v.findings.add(Finding{Kind: FindingDigest, Detail: err.Error()})
			continue
		}
		if m.Cutoff.After(v.expired.Cutoff) {
			v.expired = m
		}
	}
	return nil
}

// from is when the batches were stored that are verified: of what is older, nothing has to be there.
func (v *verification) from() time.Time {
	if v.expired.Cutoff.After(v.o.From) {
		return v.expired.Cutoff
	}
	return v.o.From
}

// digestsOf reads all digests of a writer, lowest first, a page at a time.
func digestsOf(ctx context.Context, trail Trail, writer uuid.UUID) iter.Seq2[Digest, error] {
	const size = 500
	return func(yield func(Digest, error) bool) {
		for after := int64(math.MinInt64); ; {
			page, err := trail.Digests(ctx, writer, after, size)
			if err != nil {
				yield(Digest{}, err)
				return
			}
			for _, d := range page {
				if !yield(d, nil) {
					return
				}
				after = d.First
			}
			if len(page) < size {
				return
			}
		}
	}
}

// missingWriters looks for heads of writers of which nothing is there.
func (v *verification) missingWriters() {
	for _, h := range v.o.Heads {
		if _, known := v.last[h.Writer]; !known {
			v.findings.add(Finding{
				Kind: FindingMissing, Writer: h.Writer, First: 1, Last: h.Seq, Detail: "nothing of this writer is there, though a head names it",
			})
			v.last[h.Writer] = 0
		}
	}
}

func (v *verification) progress(done int64) {
	if v.o.Progress != nil {
		v.o.Progress(done, max(done, v.total))
	}
}

// count counts an event that was read.
func (v *verification) countEvent() {
	v.result.Events++
	if v.result.Events%progressEvery == 0 {
		v.progress(v.result.Events)
	}
}
