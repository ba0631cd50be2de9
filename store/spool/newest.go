package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// Newest reads how far the spool in a folder goes: whose it is, and the number of its last event, 0 when it has none. It
// changes nothing and needs no claim, so that a gateway may be writing; what that appends meanwhile may be left out. A folder
// without a segment is fs.ErrNotExist.
func Newest(dir string) (writer uuid.UUID, last int64, err error) {
	list, err := listSegments(dir)
	if err == nil && len(list) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return uuid.Nil, 0, fmt.Errorf("look into spool %s: %w", dir, err)
	}
	f, h, size, err := openSegment(segmentPath(dir, list[len(list)-1]))
	if err != nil {
		return uuid.Nil, 0, fmt.Errorf("look into spool %s: %w", dir, err)
	}
	last, err = newestIn(newScanner(f, int64(size)), h.first-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return uuid.Nil, 0, fmt.Errorf("look into spool %s: %w", dir, err)
	}
	return h.writer, last, nil
}

// newestIn returns the highest number in a segment, at least last. What is damaged is passed over: recovery tells of it.
func newestIn(sc *scanner, last int64) (int64, error) {
	for {
		rec, err := sc.next()
		var d *damage
		switch {
		case errors.Is(err, io.EOF):
			return last, nil
		case errors.As(err, &d):
			if d.tail {
				return last, nil
			}
			continue
		case err != nil:
			return last, err
		case !rec.kind.sealed():
			continue
		}
		_, seq, _, err := audit.Place(rec.payload)
		if err != nil {
			return last, err
		}
		last = max(last, seq)
	}
}
