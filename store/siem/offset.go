package siem

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"sark/internal/atomicfile"
)

// Offset is the content of a lane's file: up to which event its receiver has what it is to have.
type Offset struct {
	Writer uuid.UUID `json:"writer_id"`
	Seq    int64     `json:"seq"`
}

// offsetPath is where a lane keeps its offset.
func offsetPath(dir, name string) string { return filepath.Join(dir, name+".json") }

// readOffset reads a file; false when there is none. One that cannot be read is an error: to begin anew on our own would send
// all, or leave out some, without a word.
func readOffset(path string) (o Offset, ok bool, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // a path of ours
	if errors.Is(err, fs.ErrNotExist) {
		return o, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err == nil && o.Seq < 0 {
		err = errors.New("seq is negative")
	}
	if err != nil {
		return o, false, fmt.Errorf("read offset %s: %w", path, err)
	}
	return o, true, nil
}

// write puts the offset in the place of the one before, so that even after a power cut one of them is there whole.
func (o Offset) write(path string) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("write offset: %w", err)
	}
	if err := atomicfile.Write(path, append(text, '\n')); err != nil {
		return fmt.Errorf("write offset: %w", err)
	}
	return nil
}
