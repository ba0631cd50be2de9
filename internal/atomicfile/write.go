package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write puts content in the place of a file, which it makes when there is none. The file is readable by its owner only. When
// Write returns nil the content survives a power cut; on an error the file is what it was before, unless it is the content
// already and only the name of it may not survive. A crash may leave a draft beside the file, which Sweep removes.
func Write(path string, content []byte) error {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(dir), name+".*.new") // its mode is 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncFolder(filepath.Clean(dir))
}

// Sweep removes the drafts that crashes have left beside a file. It is for whoever alone writes that file.
func Sweep(path string) error {
	drafts, err := filepath.Glob(path + ".*.new")
	if err != nil {
		return err
	}
	for _, draft := range drafts {
		err = errors.Join(err, os.Remove(draft))
	}
	return err
}

// SyncFolder makes the names in a folder survive a power cut.
func SyncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the folder of a path that the caller chose
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
