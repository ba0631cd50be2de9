package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// ballastBytes is how much of the disk is held for what was promised before the disk was full. A smaller spool holds less.
const ballastBytes = 4 << 20

const ballastName = "ballast"

// ballast is a file of zeros that is given up when a write fails. A full disk then still takes the outcomes of the calls that
// are under way, and new calls are refused until the file is there again.
type ballast struct {
	mu   sync.Mutex
	path string
	size int64
	held bool
}

func newBallast(dir string, maxBytes int64) *ballast {
	return &ballast{path: filepath.Join(dir, ballastName), size: min(ballastBytes, maxBytes/slackParts)}
}

// hold makes the file when it is not there whole. Its error means that the disk is full.
func (b *ballast) hold() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held {
		return nil
	}
	if st, err := os.Stat(b.path); err == nil && st.Size() == b.size {
		b.held = true
		return nil
	}
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("hold room on the disk: %w", err)
	}
	block := make([]byte, 64<<10)
	for left := b.size; left > 0 && err == nil; left -= int64(len(block)) {
		_, err = f.Write(block[:min(left, int64(len(block)))])
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("hold room on the disk: %w", err), os.Remove(b.path))
	}
	b.held = true
	return nil
}

// release gives the room to the events, and reports whether there was any.
func (b *ballast) release() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := b.held
	b.held = false
	return os.Remove(b.path) == nil && held
}
