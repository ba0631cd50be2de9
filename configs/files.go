package configs

import (
	"crypto/sha256"
	"maps"
	"os"
	"slices"
	"sync"
)

// Files notes which files [Load] reads and what they hold: the configuration
// file and those that _file keys name. So one can tell when another Load would
// read something else. The zero value is ready, and its methods may be called
// from several goroutines at once.
type Files struct {
	mu   sync.Mutex
	read map[string]Digest // of the latest Load, by path; guarded by mu
}

// Digest stands for the content of files. The zero Digest is that of a file
// that cannot be read.
type Digest [sha256.Size]byte

// Loaded returns what the files held when the latest Load read them, whether it
// succeeded or not.
func (f *Files) Loaded() Digest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return digest(f.read)
}

// Look returns what the same files hold now. It reads them, through symbolic
// links. Of a file that is no regular one, such as a pipe, there is nothing
// else to be had, and one that is empty is being written, or was cut by a full
// disk: both count as unchanged.
func (f *Files) Look() Digest {
	f.mu.Lock()
	now := maps.Clone(f.read)
	f.mu.Unlock()
	for name, before := range now {
		now[name] = look(name, before)
	}
	return digest(now)
}

func look(name string, before Digest) Digest {
	info, err := os.Stat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() == 0) {
		return before
	}
	content, err := os.ReadFile(name) //nolint:gosec // The operator names it.
	return sum(content, err)
}

// noting returns read, with a note of what it returns, and forgets the notes of
// an earlier Load. A nil Files notes nothing.
func (f *Files) noting(read func(string) ([]byte, error)) func(string) ([]byte, error) {
	if f == nil {
		return read
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = map[string]Digest{}
	return func(name string) ([]byte, error) {
		content, err := read(name)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.read[name] = sum(content, err)
		return content, err
	}
}

func sum(content []byte, err error) Digest {
	if err != nil {
		return Digest{}
	}
	return sha256.Sum256(content)
}

// digest folds the files into one.
func digest(files map[string]Digest) Digest {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		h.Write([]byte(name + "\x00"))
		h.Write(content[:])
	}
	return Digest(h.Sum(nil))
}
