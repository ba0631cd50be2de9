package siem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/atomicfile"
)

// maxRefused is how many events of a batch a receiver may refuse before it has taken one: more are no accident.
const maxRefused = 16

// refused is an event that cannot be delivered.
type refused struct {
	seq   int64
	body  []byte
	tuple []byte
	cause error
}

// RefusedEvent is the content of a file in the folder of refused events.
type RefusedEvent struct {
	Writer uuid.UUID       `json:"writer_id"`
	Seq    int64           `json:"seq"`
	Error  string          `json:"error"`
	Event  json.RawMessage `json:"event,omitempty"` // as it was sent
	Tuple  []byte          `json:"tuple"`           // as it was recorded, base64
}

// delivery is the delivery of one batch.
type delivery struct {
	lane  *Lane
	taken int
	bad   []refused
}

// deliver sends a batch, and sets aside what the receiver refuses while it takes others.
func (l *Lane) deliver(ctx context.Context, events []Event, bad []refused) error {
	d := delivery{lane: l}
	if len(events) > 0 {
		if err := d.send(ctx, events); err != nil {
			return err
		}
	}
	if d.taken == 0 && len(d.bad) > 0 {
		return fmt.Errorf("the receiver refuses all of %d events: %w", len(events), d.bad[0].cause)
	}
	for _, r := range append(bad, d.bad...) {
		if err := l.bury(r); err != nil {
			return err
		}
	}
	return nil
}

// send halves what the receiver refuses, until what it refuses is alone.
func (d *delivery) send(ctx context.Context, events []Event) error {
	err := d.lane.send(ctx, events)
	switch {
	case err == nil:
		d.taken += len(events)
		return nil
	case !errors.Is(err, ErrRejected):
		return err
	case len(events) == 1:
		e := events[0]
		d.bad = append(d.bad, refused{seq: e.Seq, body: e.Body, tuple: e.tuple, cause: err})
		if d.taken == 0 && len(d.bad) >= maxRefused {
			return fmt.Errorf("the receiver refuses one event after the other: %w", err)
		}
		return nil
	}
	half := len(events) / 2
	if err := d.send(ctx, events[:half]); err != nil {
		return err
	}
	return d.send(ctx, events[half:])
}

// bury sets an event aside. A crash before the offset is written buries it again, over the same file.
func (l *Lane) bury(r refused) error {
	text, err := json.MarshalIndent(RefusedEvent{
		Writer: l.o.Writer, Seq: r.seq, Error: r.cause.Error(), Event: r.body, Tuple: r.tuple,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("set event %d aside: %w", r.seq, err)
	}
	path := filepath.Join(l.deadDir(), fmt.Sprintf("%s-%d.json", l.o.Writer, r.seq))
	err = os.MkdirAll(l.deadDir(), 0o700)
	if err == nil {
		err = atomicfile.Write(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("set event %d aside: %w", r.seq, err)
	}
	l.log.Error("the siem refuses an event, which was set aside", zap.String("file", path), zap.Error(r.cause))
	l.o.Metrics.rejected.WithLabelValues(l.o.Name).Inc()
	return nil
}
