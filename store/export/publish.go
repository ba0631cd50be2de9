package export

import (
	"errors"
	"os"
	"path/filepath"

	"sark/internal/atomicfile"
)

// publish gives the files their names, the manifest last.
func (x *run) publish() error {
	text, err := x.manifest.encode(x.o.Key)
	if err != nil {
		return err
	}
	if err := x.name(); err != nil {
		return err
	}
	if err := atomicfile.Write(x.manifestPath(), text); err != nil {
		return errors.Join(err, remove(x.manifestPath()))
	}
	x.outputs = nil
	if x.o.Progress != nil {
		x.o.Progress(x.done, x.done)
	}
	return nil
}

func (x *run) manifestPath() string { return x.o.Path + ManifestSuffix }

// name gives the files their names so that at no time, not even after a power cut, a manifest stands beside files that are not
// its own: an earlier export's manifest goes first, and the new one comes last.
func (x *run) name() error {
	dir := filepath.Dir(x.o.Path)
	if err := remove(x.manifestPath()); err != nil {
		return err
	}
	if err := atomicfile.SyncFolder(dir); err != nil {
		return err
	}
	for _, out := range x.outputs {
		if err := os.Rename(out.temporary, out.path); err != nil {
			return err
		}
		out.named = true
	}
	return atomicfile.SyncFolder(dir)
}

// remove removes a file that may be there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// abandon removes what was written, under whichever name it is.
func (x *run) abandon() error {
	var errs []error
	for _, out := range x.outputs {
		_ = out.f.Close() // it may be closed already
		path := out.temporary
		if out.named {
			path = out.path
		}
		errs = append(errs, remove(path))
	}
	return errors.Join(errs...)
}
