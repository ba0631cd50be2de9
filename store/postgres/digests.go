package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store"
)

const digestColumns = "writer_id, first_seq, last_seq, merkle_root, previous_digest_hash, signature, key_id, created_at"

// queueDigest adds a digest, if there is one, to a batch.
func queueDigest(b *pgx.Batch, d *store.Digest) {
	if d == nil {
		return
	}
	queue(b, "INSERT INTO audit_digests ("+digestColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		d.Writer, d.First, d.Last, d.Root[:], d.Previous[:], d.Signature, d.KeyID, d.CreatedAt)
}

// LastDigest returns the writer's digest with the highest number, false when it has none.
func (d *DB) LastDigest(ctx context.Context, writer uuid.UUID) (store.Digest, bool, error) {
	defer d.timer.Observe("last_digest", time.Now())
	found, err := list(ctx, d.audit, scanDigest, "SELECT "+digestColumns+` FROM audit_digests WHERE writer_id = $1
		ORDER BY first_seq DESC LIMIT 1`, writer)
	if err != nil {
		return store.Digest{}, false, fmt.Errorf("read the last digest of writer %s: %w", writer, err)
	}
	if len(found) == 0 {
		return store.Digest{}, false, nil
	}
	return found[0], true, nil
}

// Digests returns up to limit digests of a writer whose First is above after, lowest first.
func (d *DB) Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]store.Digest, error) {
	defer d.timer.Observe("digests", time.Now())
	digests, err := list(ctx, d.audit, scanDigest, selectDigests, writer, after, limit)
	if err != nil {
		return nil, fmt.Errorf("query digests: %w", err)
	}
	return digests, nil
}

const selectDigests = "SELECT " + digestColumns + ` FROM audit_digests WHERE writer_id = $1 AND first_seq > $2
	ORDER BY first_seq LIMIT $3`

// scanDigest reads a row. One whose hashes have another length than ours is not what was signed: it loses its signature.
func scanDigest(row pgx.CollectableRow) (d store.Digest, err error) {
	var root, previous []byte
	if err := row.Scan(&d.Writer, &d.First, &d.Last, &root, &previous, &d.Signature, &d.KeyID, &d.CreatedAt); err != nil {
		return d, err
	}
	if copy(d.Root[:], root) != len(root) || copy(d.Previous[:], previous) != len(previous) ||
		len(root) != len(d.Root) || len(previous) != len(d.Previous) {
		d.Signature = nil
	}
	return d, nil
}
