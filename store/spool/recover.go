package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/audit"
)

// findings are what the segments of a folder say.
type findings struct {
	writer   uuid.UUID
	lastSeq  int64
	head     [32]byte
	lastRef  uint64
	segments []*segment
	orphans  []orphan // exchanges without an outcome, oldest first
	gaps     []gap
	known    bool          // the damage at the end of the last segment was reported at an earlier start
	resumed  int64         // the last gap event after which the chain went on beyond a sink that was ahead
	said     map[hole]bool // the numbers that are missing and of which the trail says so
}

// hole is numbers that are missing, from the first to the last.
type hole struct{ first, last int64 }

// recover reads every segment: it finds the chain's head, exchanges without an outcome, and damage.
func (s *Spool) recover() (*findings, error) {
	indexes, err := listSegments(s.o.Dir)
	if err != nil {
		return nil, err
	}
	if err := s.refuseNewer(indexes); err != nil {
		return nil, err
	}
	found := &findings{said: make(map[hole]bool)}
	if err := removeDrafts(s.o.Dir); err != nil {
		return nil, err
	}
	for i, index := range indexes {
		s.index.Store(index)
		if err := s.recoverSegment(found, index, i == len(indexes)-1); err != nil {
			return nil, fmt.Errorf("recover segment %d: %w", index, err)
		}
	}
	if found.writer == uuid.Nil {
		if found.writer, err = uuid.NewRandom(); err != nil {
			return nil, fmt.Errorf("make writer id: %w", err)
		}
		found.head = audit.GenesisHash(found.writer)
	}
	found.gaps = slices.DeleteFunc(found.gaps, func(g gap) bool { return g.from > 0 && found.said[hole{g.from, g.to}] })
	return found, nil
}

// refuseNewer looks at the header of every segment before anything is changed: when a later version of SARK wrote one of them,
// the folder is left as it is. What is wrong with a header otherwise is seen to later.
func (s *Spool) refuseNewer(indexes []uint64) error {
	for _, index := range indexes {
		f, h, _, err := openSegment(segmentPath(s.o.Dir, index))
		if errors.Is(err, errHeader) {
			continue
		}
		if err == nil {
			err = f.Close()
		}
		if err == nil && !h.known() {
			err = errNewer
		}
		if err != nil {
			return fmt.Errorf("recover segment %d: %w", index, err)
		}
	}
	return nil
}

// removeDrafts removes files that a crash has left half made.
func removeDrafts(dir string) error {
	drafts, err := filepath.Glob(filepath.Join(dir, "*"+draftSuffix))
	if err != nil {
		return fmt.Errorf("list drafts: %w", err)
	}
	for _, path := range drafts {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove draft: %w", err)
		}
	}
	return nil
}

func (s *Spool) recoverSegment(found *findings, index uint64, last bool) error {
	path := segmentPath(s.o.Dir, index)
	f, h, size, err := openSegment(path)
	if errors.Is(err, errHeader) {
		return s.setAside(found, path, err)
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	if err := s.acceptHeader(found, h); err != nil {
		return err
	}
	r := recovery{found: found, log: s.o.Log, dir: s.o.Dir, path: path, last: last}
	records, end, err := r.read(newScanner(f, int64(size)))
	found.known = r.known
	if err != nil {
		return err
	}
	if records == 0 {
		return os.Remove(path) // a start that recorded nothing
	}
	if err := keepSegment(path, end); err != nil {
		return err
	}
	s.used.Add(end)
	found.segments = append(found.segments, &segment{
		index: index, path: path, size: end, lastSeq: found.lastSeq, lastRef: found.lastRef, cut: uncut, clean: true, inFolder: true,
	})
	return nil
}

// acceptHeader checks that a segment continues the others.
func (s *Spool) acceptHeader(found *findings, h header) error {
	if found.writer == uuid.Nil {
		found.writer, found.lastSeq, found.head = h.writer, h.first-1, h.head
	}
	if found.writer != h.writer {
		return fmt.Errorf("its writer is %s, that of others is %s", h.writer, found.writer)
	}
	if h.first > found.lastSeq+1 {
		if !found.known {
			found.gaps = append(found.gaps, gap{reason: "damage", from: found.lastSeq + 1, to: h.first - 1})
		}
		found.lastSeq, found.head = h.first-1, h.head
	}
	return nil
}

// keepSegment cuts a torn tail and makes sure that what was read is on the disk.
func keepSegment(path string, end int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("mend segment: %w", err)
	}
	if err := f.Truncate(end); err != nil {
		return errors.Join(fmt.Errorf("mend segment: %w", err), f.Close())
	}
	if err := fdatasync(f); err != nil {
		return errors.Join(fmt.Errorf("mend segment: %w", err), f.Close())
	}
	return f.Close()
}

// recovery reads one segment.
type recovery struct {
	found     *findings
	log       *zap.Logger
	dir, path string
	last      bool // no segment follows
	known     bool // the damage of this segment was reported at an earlier start
}

// read takes in every record and says how many there are and where the last one ends, or where the file ends when it is
// kept as it is.
func (r *recovery) read(sc *scanner) (records int, end int64, err error) {
	end = sc.offset()
	for {
		rec, err := sc.next()
		var d *damage
		switch {
		case err == nil:
			records++
			end = sc.offset()
			err = r.take(rec)
		case errors.Is(err, io.EOF):
			return records, end, nil
		case errors.As(err, &d):
			end, err = r.mend(d, end)
			records++ // whatever it was, the file is kept
		}
		if err != nil {
			return records, end, err
		}
	}
}

// mend notes damage. A torn tail of the last segment is what a crash leaves, and is cut; anything else is kept as evidence.
func (r *recovery) mend(d *damage, end int64) (int64, error) {
	name := filepath.Base(r.path)
	if d.tail && r.last {
		r.log.Warn("spool segment has a torn tail", zap.String("segment", name), zap.Int64("bytes", d.to-d.from))
		r.found.gaps = append(r.found.gaps, gap{reason: "torn_tail", segment: name, bytes: d.to - d.from})
		return end, nil
	}
	known, err := inQuarantine(r.dir, r.path)
	if err != nil {
		return end, err
	}
	r.known = r.known || known
	if !r.known {
		aside, err := quarantine(r.dir, r.path)
		if err != nil {
			return end, err
		}
		r.log.Error("spool segment is damaged; a copy was set aside", zap.String("segment", aside), zap.Error(d))
		r.found.gaps = append(r.found.gaps, gap{reason: "damage", segment: name, bytes: d.to - d.from})
	}
	return d.to, nil
}

func (r *recovery) take(rec record) error {
	f := r.found
	f.lastRef = max(f.lastRef, rec.ref)
	if rec.kind.sealed() {
		_, seq, sum, err := audit.Place(rec.payload)
		if err != nil {
			return err
		}
		if rec.kind == kindGap {
			f.heed(rec.payload, seq)
		}
		if seq > f.lastSeq+1 && !r.known {
			f.gaps = append(f.gaps, gap{reason: "damage", segment: filepath.Base(r.path), from: f.lastSeq + 1, to: seq - 1})
		}
		if seq > f.lastSeq { // a failed segment's records stand again in the one after it
			f.lastSeq, f.head = seq, sum
		}
	}
	if rec.ref != 0 {
		f.follow(rec)
	}
	return nil
}

// heed takes in what an earlier start or this writer's own reader has said of the trail already.
func (f *findings) heed(tuple []byte, seq int64) {
	g, ok := readGap(tuple)
	if !ok || g.from == 0 {
		return
	}
	if g.reason != reasonSinkAhead {
		f.said[hole{g.from, g.to}] = true
		return
	}
	f.resumed = seq
	if n := len(f.gaps); n > 0 && f.gaps[n-1].to == seq-1 && f.gaps[n-1].segment == "" {
		f.gaps = f.gaps[:n-1] // the jump to this number is no damage
	}
	for _, seg := range f.segments {
		seg.cutAt(g.from - 1)
	}
}
