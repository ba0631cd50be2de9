package store

import "slices"

// attempt is a batch that was given to the sink. One that failed may have been stored, or may yet be: a lost connection's
// COMMIT can arrive after the next attempt has begun.
type attempt struct {
	last   int64
	digest [32]byte // its hash, zero without digests
}

// try notes an attempt, and forgets one that is too old to arrive.
func (s *Shipper) try(a attempt) {
	const most = 64
	if len(s.tried) == most {
		s.tried = slices.Delete(s.tried, 0, 1)
	}
	s.tried = append(s.tried, a)
}

// confirmed is up to which number the sink, whose offset was just read, has its events from this shipper. Only this one moves
// the offset of its writer, unless a copy of the source is in use elsewhere.
func (s *Shipper) confirmed(offset int64) int64 {
	var newest [32]byte // of the sink's digests
	if s.digests != nil {
		newest = s.digests.last
	}
	if slices.Contains(s.tried, attempt{offset, newest}) {
		return offset
	}
	return s.offset.Load()
}
