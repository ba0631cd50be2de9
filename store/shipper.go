package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// Source is where a shipper takes events from: the spool.
type Source interface {
	// Writer is the id of the chain.
	Writer() uuid.UUID
	// Read returns events after a number, see spool.Spool.
	Read(after int64, limit int) (tuples [][]byte, last int64, err error)
	// Last is the number of the last event that was recorded.
	Last() int64
	// Sync returns when everything that was recorded can be read.
	Sync() error
	// Wake receives a signal after events have become readable.
	Wake() <-chan struct{}
	// Advance compares the sink's offset with what the source knows, before events are read, and seals anew what the source
	// has recorded under numbers that are taken in the sink. confirmed is up to which number the sink is known to have its
	// events from this source, 0 before it was asked.
	Advance(offset, confirmed int64) error
	// Droppable and Drop free what the sink has.
	Droppable(upto int64) bool
	Drop(upto int64) error
}

// Sink is where a shipper brings events to: a database.
type Sink interface {
	// AppendEvents stores tuples and moves the writer's offset, together or not at all. It wraps ErrFenced and ErrBadRow.
	AppendEvents(ctx context.Context, writer uuid.UUID, after, last int64, tuples [][]byte) error
	// Offset is the number of the writer's last event that was stored.
	Offset(ctx context.Context, writer uuid.UUID) (int64, error)
}

// Checkpointer is what a sink also has whose commits may be lost in a power cut until it was asked to make them durable.
type Checkpointer interface {
	Checkpoint(ctx context.Context) error
}

// Shipper moves events from the source to the sink, each exactly once: the offset that says which events the sink has is
// kept in the sink, and changes in the transaction that stores them.
type Shipper struct {
	o             ShipperOptions
	digests       *digester    // nil: batches are not signed
	offset        atomic.Int64 // the sink's, as far as known
	shipped       atomic.Int64
	failed        atomic.Int64
	dead          atomic.Int64
	inputsDropped atomic.Int64
	behind        atomic.Int64 // since when there are events to ship, in Unix microseconds; 0: none

	mu    sync.Mutex // held while a batch is shipped
	head  *Head      // of what the sink has, nil before the first batch
	known bool       // offset was read since the last failure
	tried []attempt  // since the last success; the latest are kept
}

// NewShipper makes a shipper; Run sets it to work.
func NewShipper(o ShipperOptions) (*Shipper, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("new shipper: %w", err)
	}
	s := &Shipper{o: o}
	if s.digests, err = o.digester(); err != nil {
		return nil, fmt.Errorf("new shipper: %w", err)
	}
	if err := s.registerMetrics(); err != nil {
		return nil, fmt.Errorf("new shipper: %w", err)
	}
	return s, nil
}

// Run ships until ctx ends, and then returns nil; what is left stays in the source. While the sink is away it tries again
// after growing pauses. To drain at the end, call Flush after Run has returned.
func (s *Shipper) Run(ctx context.Context) error {
	pause := backoff{longest: s.o.LongestPause}
	tick := time.NewTicker(s.o.Interval)
	defer tick.Stop()
	for {
		more, err := s.ship(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.o.Log.Warn("audit events cannot be stored; they stay in the spool", zap.Error(err), zap.Int64("waiting", s.Waiting()))
			if !pause.wait(ctx) {
				return nil
			}
			continue
		}
		pause.reset()
		if !more && !s.await(ctx, tick.C) {
			return nil
		}
	}
}

// await returns when a batch is full, or when the interval is over and there is something to ship; false when ctx ends.
func (s *Shipper) await(ctx context.Context, interval <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-interval:
			if s.Waiting() > 0 {
				return true
			}
		case <-s.o.Source.Wake():
			if s.Waiting() >= int64(s.o.Batch) {
				return true
			}
		}
	}
}

// Flush ships everything that the source holds now. It goes on while it gets on, until ctx ends; while the sink is away it
// tries again for Options.Patience. What it leaves stays in the source.
func (s *Shipper) Flush(ctx context.Context) error {
	if err := s.o.Source.Sync(); err != nil {
		return fmt.Errorf("flush audit events: %w", err)
	}
	var target int64
	pause := backoff{longest: s.o.LongestPause}
	since := time.Now() // of the last success
	for first := true; ; first = false {
		_, err := s.ship(ctx)
		if first || err != nil { // a sink that was ahead has changed the numbers
			target = s.o.Source.Last()
		}
		if err == nil && s.offset.Load() >= target {
			return nil
		}
		if s.Waiting() == 0 {
			return nil // a sink that is away has missed nothing
		}
		if ctx.Err() != nil {
			return fmt.Errorf("flush audit events: %w", errors.Join(ctx.Err(), err))
		}
		if err == nil {
			since = time.Now()
			continue
		}
		if time.Since(since) >= s.o.Patience {
			return fmt.Errorf("flush audit events: %d stay in the spool: %w", s.Waiting(), err)
		}
		pause.wait(ctx)
	}
}

// Waiting is how many recorded events the sink does not have, as far as known.
func (s *Shipper) Waiting() int64 { return max(0, s.o.Source.Last()-s.offset.Load()) }

// Lag is how long there have been events to ship without a success; 0 when the sink has everything.
func (s *Shipper) Lag() time.Duration {
	since := s.behind.Load()
	if since == 0 || s.Waiting() == 0 {
		return 0
	}
	return time.Since(time.UnixMicro(since))
}

// ship stores one batch, and reports whether it was full: there is probably more.
func (s *Shipper) ship(ctx context.Context) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.note(err) }()
	defer s.guard(&err)
	if err := s.locate(ctx); err != nil {
		return false, err
	}
	after := s.offset.Load()
	tuples, last, err := s.o.Source.Read(after, s.o.Batch)
	if err != nil {
		return false, err
	}
	if last == after {
		return false, nil
	}
	if err := s.shipInputs(ctx); err != nil {
		return false, err
	}
	if err := s.store(ctx, after, last, tuples); err != nil {
		s.known = false // the commit may have happened: ask
		return false, err
	}
	if s.digests != nil {
		if err := s.digests.catchUp(ctx); err != nil {
			s.known = false // the file must have this digest before the sink gets the next one
			return false, err
		}
	}
	return len(tuples) == s.o.Batch, s.free(ctx)
}

// guard makes a panic trouble like any other: the batch is tried again, and the events stay in the source.
func (s *Shipper) guard(err *error) {
	p := recover()
	if p == nil {
		return
	}
	s.known = false // nobody knows how far it got
	*err = fmt.Errorf("BUG: %v", p)
	s.o.Log.Error("BUG: storing audit events panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
}

// note keeps the counters and the time since when the sink lags.
func (s *Shipper) note(err error) {
	if err != nil {
		s.failed.Add(1)
	}
	switch {
	case s.Waiting() == 0:
		s.behind.Store(0)
	case err == nil || s.behind.Load() == 0:
		s.behind.Store(time.Now().UnixMicro())
	}
}

// locate reads the sink's offset, at the beginning and after every failure.
func (s *Shipper) locate(ctx context.Context) error {
	if s.known {
		return nil
	}
	offset, err := s.o.Sink.Offset(ctx, s.o.Source.Writer())
	if err != nil {
		return err
	}
	if s.digests != nil {
		if err := s.digests.locate(ctx); err != nil {
			return err
		}
	}
	if err := s.o.Source.Advance(offset, s.confirmed(offset)); err != nil {
		return err
	}
	s.offset.Store(offset)
	s.known = true
	return nil
}

// store gives a batch to the sink. When a row can never be stored the batch is halved until that row is alone, which is then
// set aside.
func (s *Shipper) store(ctx context.Context, after, last int64, tuples [][]byte) error {
	err := s.give(ctx, after, last, tuples)
	switch {
	case err == nil:
		s.offset.Store(last)
		s.tried = s.tried[:0]
		s.shipped.Add(int64(len(tuples)))
		s.advanceHead(tuples)
		return nil
	case !errors.Is(err, ErrBadRow) || len(tuples) == 0:
		return err
	case len(tuples) == 1:
		return s.bury(ctx, after, last, tuples[0], err)
	}
	half := len(tuples) / 2
	middle, err := sequence(tuples[half-1])
	if err != nil {
		return err
	}
	if err := s.store(ctx, after, middle, tuples[:half]); err != nil {
		return err
	}
	return s.store(ctx, middle, last, tuples[half:])
}

// give gives events to the sink, with a digest when there is a key.
func (s *Shipper) give(ctx context.Context, after, last int64, tuples [][]byte) error {
	writer := s.o.Source.Writer()
	if s.digests == nil {
		s.try(attempt{last: last})
		return s.o.Sink.AppendEvents(ctx, writer, after, last, tuples)
	}
	b, err := s.digests.sign(Batch{Writer: writer, After: after, Last: last, Tuples: tuples})
	if err != nil {
		return err
	}
	s.try(attempt{last, b.Digest.Hash()})
	return s.digests.store(ctx, b)
}

// free drops what the sink has from the source, once the sink has it durably.
func (s *Shipper) free(ctx context.Context) error {
	offset := s.offset.Load()
	if !s.o.Source.Droppable(offset) {
		return nil
	}
	if c, ok := s.o.Sink.(Checkpointer); ok {
		if err := c.Checkpoint(ctx); err != nil {
			return err
		}
	}
	return s.o.Source.Drop(offset)
}
