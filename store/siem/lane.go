package siem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"sark/internal/atomicfile"
	"sark/internal/audit"
)

// Lane brings events to one receiver.
type Lane struct {
	o      Options
	path   string
	log    *zap.Logger
	offset atomic.Int64 // as it stands in the file
	fault  atomic.Pointer[error]

	mu   sync.Mutex // held while a portion is brought over
	feed *feed
}

// Open reads the lane's offset, and makes it when the receiver is new. Close ends the lane.
func Open(o Options) (*Lane, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open siem sink: %w", err)
	}
	l := &Lane{
		o: o, path: offsetPath(o.Dir, o.Name), log: o.Log.With(zap.String("sink", o.Name)),
		feed: &feed{writer: o.Writer, spool: o.Spool, open: o.OpenTrail},
	}
	if err := l.locate(); err != nil {
		return nil, fmt.Errorf("open siem sink %s: %w", o.Name, err)
	}
	l.observe()
	return l, nil
}

// locate finds where to go on. A new receiver gets what comes from now on, unless it is to have all.
func (l *Lane) locate() error {
	if err := os.MkdirAll(l.o.Dir, 0o700); err != nil {
		return err
	}
	if err := atomicfile.Sweep(l.path); err != nil {
		return err
	}
	offset, known, err := readOffset(l.path)
	if err != nil {
		return err
	}
	if known && offset.Writer == l.o.Writer {
		l.offset.Store(offset.Seq)
		return nil
	}
	begin := int64(0) // a spool that was made anew has nothing that the receiver could have had
	if !known && !l.o.FromBeginning {
		begin = l.o.Last()
	}
	l.log.Info("a new siem sink", zap.Int64("after_event", begin))
	return l.advance(begin)
}

// advance notes that the receiver has what it is to have up to seq.
func (l *Lane) advance(seq int64) error {
	if err := (Offset{Writer: l.o.Writer, Seq: seq}).write(l.path); err != nil {
		return err
	}
	l.offset.Store(seq)
	return nil
}

// Run sends until ctx ends. While the receiver is away it tries again after growing pauses. To send what is left at the end,
// call Flush after Run has returned.
func (l *Lane) Run(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			l.fail(fmt.Errorf("BUG: %v", p))
			l.log.Error("BUG: a siem sink panicked and is stopped", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	var pause pause
	for {
		more, err := l.forward(ctx)
		if ctx.Err() != nil {
			return
		}
		l.note(err)
		switch {
		case err != nil:
			if !sleep(ctx, pause.after(err)) {
				return
			}
		case more:
			pause.next = 0
		default:
			pause.next = 0
			if !sleep(ctx, l.o.Interval) {
				return
			}
		}
	}
}

// Flush sends all that was recorded until now. It tries again while the receiver is away, until ctx ends.
func (l *Lane) Flush(ctx context.Context) error {
	target := l.o.Last()
	var pause pause
	for {
		more, err := l.forward(ctx)
		if err == nil && l.offset.Load() >= target {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("siem sink %s: %d events are sent at the next start: %w", l.o.Name, l.Lag(), errors.Join(ctx.Err(), err))
		}
		switch {
		case err != nil:
			sleep(ctx, pause.after(err))
		case !more:
			sleep(ctx, firstPause) // the rest is not on the disk yet
		}
	}
}

// Close ends the connection to the receiver.
func (l *Lane) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.feed.close(), l.o.Sink.Close())
}

// Name is the sink's.
func (l *Lane) Name() string { return l.o.Name }

// Offset is the number of the last event that the receiver has, or is not to have.
func (l *Lane) Offset() int64 { return l.offset.Load() }

// Lag is how many recorded events the receiver does not have.
func (l *Lane) Lag() int64 { return max(0, l.o.Last()-l.offset.Load()) }

// Err says why the last attempt to send failed, nil when it did not.
func (l *Lane) Err() error {
	if err := l.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// note says when sending has begun to fail, and when it works again.
func (l *Lane) note(err error) {
	before := l.Err()
	switch {
	case err != nil && before == nil:
		l.log.Warn("audit events cannot be sent to the siem; they stay in spool and database", zap.Error(err), zap.Int64("waiting", l.Lag()))
	case err == nil && before != nil:
		l.log.Info("audit events are sent to the siem again", zap.Int64("waiting", l.Lag()))
	}
	if err != nil {
		l.o.Metrics.failures.WithLabelValues(l.o.Name).Inc()
		l.fail(err)
		return
	}
	l.fault.Store(nil)
}

func (l *Lane) fail(err error) { l.fault.Store(&err) }

// observe keeps the gauge.
func (l *Lane) observe() { l.o.Metrics.lag.WithLabelValues(l.o.Name).Set(float64(l.Lag())) }

// forward brings one portion over, and reports whether there is probably more.
func (l *Lane) forward(ctx context.Context) (more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.observe()
	after := l.offset.Load()
	p, err := l.feed.next(ctx, after, l.o.Batch)
	if err != nil {
		return false, err
	}
	if p.last == after {
		return false, l.send(ctx, nil)
	}
	events, bad, err := l.render(p.tuples)
	if err != nil {
		return false, err
	}
	if err := l.deliver(ctx, events, bad); err != nil {
		return false, errors.Join(err, l.feed.closeView())
	}
	if err := l.advance(p.last); err != nil {
		return false, err
	}
	l.count(p, len(p.tuples)-len(events)-len(bad))
	return p.full, nil
}

// count counts what was passed over.
func (l *Lane) count(p portion, filtered int) {
	l.o.Metrics.filtered.WithLabelValues(l.o.Name).Add(float64(filtered))
	if p.missing > 0 {
		l.o.Metrics.missing.WithLabelValues(l.o.Name).Add(float64(p.missing))
		l.log.Error("events are neither in the spool nor in the database any more", zap.Int64("events", p.missing), zap.Int64("up_to", p.last))
	}
}

// render makes the events that are to be sent. A tuple that is none is refused by ourselves.
func (l *Lane) render(tuples [][]byte) (events []Event, bad []refused, err error) {
	for _, tuple := range tuples {
		e, err := l.o.Format.render(tuple)
		switch {
		case err != nil:
			_, seq, _, placeErr := audit.Place(tuple)
			if placeErr != nil {
				return nil, nil, placeErr
			}
			bad = append(bad, refused{seq: seq, tuple: tuple, cause: err})
		case l.o.Filter.Lets(e.Event):
			events = append(events, e)
		}
	}
	return events, bad, nil
}

// send gives events to the receiver within the timeout.
func (l *Lane) send(ctx context.Context, events []Event) error {
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	if err := l.o.Sink.Send(ctx, events); err != nil {
		return err
	}
	l.o.Metrics.sent.WithLabelValues(l.o.Name).Add(float64(len(events)))
	return nil
}

// deadDir is the folder of what the receiver refuses.
func (l *Lane) deadDir() string { return filepath.Join(l.o.Dir, "refused", l.o.Name) }
