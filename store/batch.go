package store

import (
	"context"

	"github.com/google/uuid"
)

// Batch is what a shipper stores at once.
type Batch struct {
	Writer uuid.UUID
	// After is the writer's offset in the sink before the batch, Last the one after it.
	After, Last int64
	// Tuples are the sealed events numbered After+1 to Last that there are, in this order.
	Tuples [][]byte
	// Digest accounts for After+1 to Last, and is stored together with the events; nil stores none.
	Digest *Digest
}

// DigestSink is a Sink that keeps digests beside the events.
type DigestSink interface {
	Sink
	// AppendBatch stores events and digest and moves the writer's offset, together or not at all. It wraps ErrFenced and
	// ErrBadRow as AppendEvents does; a digest that cannot be stored is not a bad row.
	AppendBatch(ctx context.Context, b Batch) error
	// LastDigest is the writer's digest with the highest number, false when it has none.
	LastDigest(ctx context.Context, writer uuid.UUID) (Digest, bool, error)
	// Digests returns up to limit digests of a writer whose First is above after, lowest first.
	Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]Digest, error)
}
