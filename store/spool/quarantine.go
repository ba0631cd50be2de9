package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"sark/internal/atomicfile"
)

// quarantineFolder is where copies of damaged segments are kept.
const quarantineFolder = "quarantine"

// setAside moves a file whose header is damaged out of the way. Its records are not lost, but need a person.
func (s *Spool) setAside(found *findings, path string, cause error) error {
	aside, err := quarantine(s.o.Dir, path)
	if err != nil {
		return err
	}
	size := int64(0)
	if st, err := os.Stat(path); err == nil {
		size = st.Size()
	}
	s.o.Log.Error("spool segment has no valid header and was set aside", zap.String("segment", aside), zap.Error(cause))
	if size > 0 { // an empty file is one that was being made
		found.gaps = append(found.gaps, gap{reason: "damage", segment: filepath.Base(path), bytes: size})
	}
	return os.Remove(path)
}

func quarantinePath(dir, path string) string {
	return filepath.Join(dir, quarantineFolder, filepath.Base(path))
}

func inQuarantine(dir, path string) (bool, error) {
	_, err := os.Stat(quarantinePath(dir, path))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// quarantine copies a file to the folder of damaged segments and returns the copy's path.
func quarantine(dir, path string) (aside string, err error) {
	aside = quarantinePath(dir, path)
	if err := os.MkdirAll(filepath.Dir(aside), 0o700); err != nil {
		return aside, fmt.Errorf("set segment aside: %w", err)
	}
	from, err := os.Open(path) //nolint:gosec // our own folder
	if err != nil {
		return aside, fmt.Errorf("set segment aside: %w", err)
	}
	defer from.Close()                                                       //nolint:errcheck // opened for reading
	to, err := os.OpenFile(aside, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return aside, fmt.Errorf("set segment aside: %w", err)
	}
	if _, err := io.Copy(to, from); err != nil {
		return aside, errors.Join(fmt.Errorf("set segment aside: %w", err), to.Close())
	}
	if err := errors.Join(to.Sync(), to.Close()); err != nil {
		return aside, fmt.Errorf("set segment aside: %w", err)
	}
	return aside, errors.Join(atomicfile.SyncFolder(filepath.Dir(aside)), atomicfile.SyncFolder(dir)) // the segment itself may go
}
