package store

import (
	"context"
	"iter"

	"github.com/google/uuid"
)

// Trail is one consistent view of an audit trail, which Verify reads: what others write while it is read is not seen.
type Trail interface {
	// Writers lists every writer of which there is an event, a digest or an offset, each once, in any order.
	Writers(ctx context.Context) ([]WriterState, error)
	// RetentionMarks lists what was said to be removed for its age, in any order.
	RetentionMarks(ctx context.Context) ([]RetentionMark, error)
	// Events reads the events of a span in the order of their numbers, several of one number one after the other, in memory
	// that does not grow with their count. An error ends it.
	Events(ctx context.Context, span Span) iter.Seq2[Row, error]
	// Digests returns up to limit digests of a writer whose First is above after, lowest first. It may be called while
	// Events is being read.
	Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]Digest, error)
}

// WriterState is what a trail says of a writer.
type WriterState struct {
	Writer  uuid.UUID
	Foreign string // the writer's id in hexadecimal when it is no UUID, which no gateway has written; Writer is zero then
	Offset  int64  // up to which number the trail claims to have events
	Events  int64  // how many there are, roughly; to show progress
}

// Span is the events of a writer from the number First to the number Last.
type Span struct {
	Writer      uuid.UUID
	First, Last int64
}

// Row is an event as it was read from a trail.
type Row struct {
	Seq int64
	// Tuple is the sealed tuple that the columns make. It is valid until the next row is asked for.
	Tuple []byte
	// Damage says why the columns make no tuple, nil when they do.
	Damage error
}
