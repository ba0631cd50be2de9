package siem

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

// Spool is what a lane reads of a spool: a spool.Cursor.
type Spool interface {
	// Read returns events that follow one another from after+1 on, and the number of the next one that the spool may have.
	Read(after int64, limit, size int) (tuples [][]byte, next int64, err error)
	Close() error
}

// Trail is a view of the trail in a database.
type Trail interface {
	store.Trail
	Close() error
}

// Bounds of what is held.
const (
	batchBytes = 4 << 20         // of events in one batch
	viewAge    = 5 * time.Minute // a view of the database is closed then, since it keeps the database from tidying up
)

// feed gives the events of a writer in the order of their numbers: from the spool, and what is there no more from the database.
type feed struct {
	writer uuid.UUID
	spool  Spool
	open   func(context.Context) (Trail, error)

	view   Trail // nil: the spool is read
	span   store.Span
	opened time.Time
	pull   func() (store.Row, error, bool) // in the order of iter.Pull2
	stop   func()
}

// portion is what a feed gives at once.
type portion struct {
	tuples  [][]byte
	last    int64 // the portion serves up to this number
	missing int64 // so many numbers have no event anywhere
	full    bool  // there is probably more
}

// next returns events that follow after. Nothing new is a portion whose last is after.
func (f *feed) next(ctx context.Context, after int64, limit int) (portion, error) {
	if f.view != nil && (f.span.First != after+1 || time.Since(f.opened) > viewAge) {
		if err := f.closeView(); err != nil {
			return portion{last: after}, err
		}
	}
	if f.view == nil {
		tuples, next, err := f.spool.Read(after, limit, batchBytes)
		if err != nil || len(tuples) > 0 || next == after+1 {
			return portion{tuples: tuples, last: after + int64(len(tuples)), full: len(tuples) == limit}, err
		}
		if err := f.openView(ctx, store.Span{Writer: f.writer, First: after + 1, Last: next - 1}); err != nil {
			return portion{last: after}, fmt.Errorf("read events %d to %d, which the spool has no more: %w", after+1, next-1, err)
		}
	}
	p, err := f.fromView(after, limit)
	if err != nil {
		return portion{last: after}, errors.Join(err, f.closeView())
	}
	return p, nil
}

func (f *feed) openView(ctx context.Context, span store.Span) error {
	view, err := f.open(ctx)
	if err != nil {
		return err
	}
	f.view, f.span, f.opened = view, span, time.Now()
	f.pull, f.stop = iter.Pull2(view.Events(ctx, span))
	return nil
}

// closeView is also called when a receiver is away, so that a database is not kept busy for its sake.
func (f *feed) closeView() error {
	if f.view == nil {
		return nil
	}
	f.stop()
	view := f.view
	f.view = nil
	return view.Close()
}

// fromView takes the next events of the view. At its end it serves up to the end of the span: what the database does not have
// either is nowhere.
func (f *feed) fromView(after int64, limit int) (portion, error) {
	p, size := portion{last: after, full: true}, 0
	for len(p.tuples) < limit && size < batchBytes {
		row, err, more := f.pull()
		if err != nil {
			return p, err
		}
		if !more {
			p.missing += f.span.Last - p.last
			p.last = f.span.Last
			return p, f.closeView()
		}
		if row.Seq <= p.last { // a second event of the same number; audit verify tells
			continue
		}
		p.missing += row.Seq - p.last - 1
		p.last = row.Seq
		p.tuples = append(p.tuples, append([]byte(nil), row.Tuple...))
		size += len(row.Tuple)
	}
	f.span.First = p.last + 1
	return p, nil
}

func (f *feed) close() error { return errors.Join(f.closeView(), f.spool.Close()) }
