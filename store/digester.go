package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// digester signs what a shipper stores. Its owner is the shipper, under the mutex of the shipper.
type digester struct {
	key    *DigestKey
	sink   DigestSink
	file   *DigestFile // nil: none
	writer uuid.UUID
	tree   *audit.Tree
	last   [32]byte // the hash of the digest that the next one follows
}

// locate finds the digest that the next one follows, and brings the file up to date.
func (d *digester) locate(ctx context.Context) error {
	last, ok, err := d.sink.LastDigest(ctx, d.writer)
	if err != nil {
		return err
	}
	d.last = audit.GenesisHash(d.writer)
	if !ok {
		return nil
	}
	d.last = last.Hash()
	return d.catchUp(ctx)
}

// catchUp copies the digests to the file that a crash, or a disk that was full, has kept from it.
func (d *digester) catchUp(ctx context.Context) error {
	if d.file == nil {
		return nil
	}
	return d.file.Extend(ctx, d.sink, d.writer)
}

// sign adds a batch's digest to it.
func (d *digester) sign(b Batch) (Batch, error) {
	root, err := rootOf(d.tree, b.Tuples)
	if err != nil {
		return b, fmt.Errorf("sign a batch: %w", err)
	}
	b.Digest = &Digest{
		Writer: b.Writer, First: b.After + 1, Last: b.Last, Root: root, Previous: d.last,
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
	b.Digest.sign(d.key)
	return b, nil
}

// store gives a signed batch to the sink. When it fails, locate must be asked before the next one is signed.
func (d *digester) store(ctx context.Context, b Batch) error {
	if err := d.sink.AppendBatch(ctx, b); err != nil {
		return err
	}
	d.last = b.Digest.Hash()
	return nil
}
