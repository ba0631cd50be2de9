package store

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/atomicfile"
	"sark/internal/audit"
)

// DeadEvent is the content of a file in the dead folder: an event that the sink could never take.
type DeadEvent struct {
	Writer uuid.UUID       `json:"writer"`
	Seq    int64           `json:"seq"`
	Error  string          `json:"error"`
	Event  json.RawMessage `json:"event,omitempty"` // missing when the tuple cannot be read
	Tuple  []byte          `json:"tuple"`           // as it stands in the spool, base64
}

// bury sets an event aside and moves the sink's offset past it, in this order: a crash in between buries it again, over the
// same file.
func (s *Shipper) bury(ctx context.Context, after, last int64, tuple []byte, cause error) error {
	writer := s.o.Source.Writer()
	seq, err := sequence(tuple)
	if err != nil {
		return err
	}
	dead := DeadEvent{Writer: writer, Seq: seq, Error: cause.Error(), Tuple: tuple}
	if event, err := audit.AppendJSON(nil, tuple); err == nil {
		dead.Event = event
	}
	path := filepath.Join(s.o.DeadDir, fmt.Sprintf("%s-%d.json", writer, seq))
	if err := writeDead(path, dead); err != nil {
		return fmt.Errorf("set event %d aside: %w", seq, err)
	}
	s.o.Log.Error("an audit event cannot be stored and was set aside", zap.String("file", path), zap.Error(cause))
	if err := s.give(ctx, after, last, nil); err != nil {
		return err
	}
	s.offset.Store(last)
	s.dead.Add(1)
	return nil
}

// writeDead makes the file survive a power cut: the sink's offset then says that the event was dealt with.
func writeDead(path string, dead DeadEvent) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b, err := json.MarshalIndent(dead, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, append(b, '\n')); err != nil {
		return err
	}
	return atomicfile.SyncFolder(filepath.Dir(dir)) // in which the folder may be new
}

// sequence is the number of a tuple.
func sequence(tuple []byte) (int64, error) {
	_, seq, _, err := audit.Place(tuple)
	return seq, err
}
