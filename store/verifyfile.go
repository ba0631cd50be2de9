package store

import (
	"context"
	"time"
)

// verifyFile looks up every digest of the digest file in the trail.
func (v *verification) verifyFile(ctx context.Context) error {
	for d, err := range ReadDigests(v.o.DigestFile) {
		if err != nil {
			return err
		}
		if !v.chosen(&d) {
			continue
		}
		if err := v.lookUp(ctx, &d); err != nil {
			return err
		}
	}
	return nil
}

// chosen reports whether writer and time of a digest are among those that are verified.
func (v *verification) chosen(d *Digest) bool {
	within := func(at time.Time) bool { return !at.Before(v.from()) && (v.o.To.IsZero() || at.Before(v.o.To)) }
	return (v.o.Writer == d.Writer || v.o.Writer == [16]byte{}) && within(d.CreatedAt)
}

func (v *verification) lookUp(ctx context.Context, d *Digest) error {
	f := Finding{Kind: FindingDigest, Writer: d.Writer, First: d.First, Last: d.Last}
	if err := d.Check(v.o.Keys); err != nil {
		f.Detail = "in the digest file: " + err.Error()
		v.findings.add(f)
		return nil
	}
	stored, err := v.trail.Digests(ctx, d.Writer, d.First-1, 1)
	if err != nil {
		return err
	}
	switch {
	case len(stored) == 1 && stored[0].Hash() == d.Hash():
		return nil
	case v.last[d.Writer] < d.First:
		f.Kind, f.Detail = FindingMissing, "the digest file accounts for them; the end of the trail was cut off"
	default:
		f.Detail = "the digest in the digest file is another one, or the trail has none; the trail was written anew"
	}
	v.findings.add(f)
	return nil
}
