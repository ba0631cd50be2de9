package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

const segmentSuffix = ".seg"

// segment is one file of the spool. Its fields belong to the spool's mutex, except for file, which the leaders use while
// they lead.
type segment struct {
	index    uint64 // from the file's name; rises
	path     string
	file     *os.File // nil once nothing is written or synced any more
	size     int64
	lastSeq  int64  // the last event in it or before it
	cut      int64  // numbers above it were given anew in a later segment
	lastRef  uint64 // no record in it has a higher reference
	clean    bool   // complete and synced
	inFolder bool   // the folder was synced after the file was made
}

func segmentPath(dir string, index uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", index, segmentSuffix))
}

// createSegment makes the file and writes its header.
func createSegment(path string, index uint64, h header) (*segment, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	s := &segment{index: index, path: path, file: f, lastSeq: h.first - 1, cut: uncut}
	if err := s.write(h.append(nil)); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return s, nil
}

// write appends whole records. When it fails, what was written of them is taken back, so that nobody takes it for damage: they
// will stand in another segment.
func (s *segment) write(b []byte) error {
	n, err := s.file.Write(b)
	if err == nil {
		s.size += int64(n)
		return nil
	}
	if n > 0 && s.file.Truncate(s.size) != nil {
		s.size += int64(n)
	}
	return fmt.Errorf("write segment: %w", err)
}

// sync makes the file, and its place in the folder, survive a power cut.
func (s *segment) sync(folder *os.File) error {
	if err := fdatasync(s.file); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	if s.inFolder {
		return nil
	}
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("sync spool folder: %w", err)
	}
	s.inFolder = true
	return nil
}

// close ends writing.
func (s *segment) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// listSegments returns the indexes of the segments in a folder, oldest first.
func listSegments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var list []uint64
	for _, e := range entries {
		var index uint64
		if _, err := fmt.Sscanf(e.Name(), "%016x"+segmentSuffix, &index); err == nil && filepath.Base(segmentPath(dir, index)) == e.Name() {
			list = append(list, index)
		}
	}
	slices.Sort(list)
	return list, nil
}

// openSegment opens a file for reading and reads its header. An error about the header wraps errHeader
// when it is damaged, and errNewer.
func openSegment(path string) (*os.File, header, int, error) {
	f, err := os.Open(path) //nolint:gosec // our own folder
	if err != nil {
		return nil, header{}, 0, fmt.Errorf("open segment: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, headerMax))
	if err != nil {
		return nil, header{}, 0, errors.Join(fmt.Errorf("read segment: %w", err), f.Close())
	}
	h, size, err := parseHeader(b)
	if err != nil {
		return nil, header{}, 0, errors.Join(err, f.Close())
	}
	return f, h, size, nil
}
