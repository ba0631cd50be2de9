package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write puts content in the place of a file, which it makes when there is none. The file is readable by its owner only. When
// Write returns nil the content survives a power cut; on an error the file is what it was before, unless it is the content
// already and only the name of it may not survive.
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
	return syncFolder(filepath.Clean(dir))
}

// syncFolder makes the names in a folder survive a power cut.
func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the folder of a path that the caller chose
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
