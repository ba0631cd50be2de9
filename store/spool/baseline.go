package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"sark/internal/atomicfile"
)

// baselineName is the file that says up to which number the events of this folder are the sink's, too. It is there from a
// start until the sink was asked for its offset. A sink that has more than that has events which this folder never had or no
// longer has, as after an older copy of it was put back; what was recorded since then has numbers that are taken.
const baselineName = "baseline"

// openBaseline reads the file, or makes it with the last number that the folder has. Starts without a sink in between keep
// what the first of them wrote.
func (s *Spool) openBaseline(found *findings) error {
	path := filepath.Join(s.o.Dir, baselineName)
	text, err := os.ReadFile(path) //nolint:gosec // our own folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read spool baseline: %w", err)
	}
	s.unconfirmed = true
	if err == nil {
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && n <= found.lastSeq {
			s.baseline = max(n, found.resumed) // a crash came after Advance and before confirm
			return nil
		}
		s.o.Log.Warn("the spool's baseline is not readable and is made anew", zap.String("file", path))
	}
	s.baseline = found.lastSeq
	if err := atomicfile.Write(path, fmt.Appendln(nil, s.baseline)); err != nil {
		return fmt.Errorf("write spool baseline: %w", err)
	}
	return nil
}

// confirmLocked notes that sink and spool have one history: from now on only this process can move the sink's offset.
func (s *Spool) confirmLocked() error {
	if !s.unconfirmed {
		return nil
	}
	if err := os.Remove(filepath.Join(s.o.Dir, baselineName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove spool baseline: %w", err)
	}
	if err := s.folder.Sync(); err != nil {
		return fmt.Errorf("sync spool folder: %w", err)
	}
	s.unconfirmed = false
	return nil
}
