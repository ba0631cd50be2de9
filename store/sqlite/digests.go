package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

const digestColumns = "writer_id, first_seq, last_seq, merkle_root, previous_digest_hash, signature, key_id, created_at"

// insertDigest stores a digest, if there is one. Its error is never that of a bad row.
func insertDigest(r *raw, d *store.Digest) error {
	if d == nil {
		return nil
	}
	_, err := r.change("INSERT INTO audit_digests ("+digestColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		d.Writer[:], d.First, d.Last, d.Root[:], d.Previous[:], d.Signature, d.KeyID, d.CreatedAt.UnixMicro())
	if err != nil {
		return fmt.Errorf("insert the digest of events %d to %d: %w", d.First, d.Last, err)
	}
	return nil
}

// LastDigest returns the writer's digest with the highest number, false when it has none.
func (d *DB) LastDigest(ctx context.Context, writer uuid.UUID) (store.Digest, bool, error) {
	defer d.timer.Observe("last_digest", time.Now())
	row := d.read.QueryRowContext(ctx, "SELECT "+digestColumns+" FROM audit_digests WHERE writer_id = ? ORDER BY first_seq DESC LIMIT 1",
		writer[:])
	digest, err := scanDigest(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Digest{}, false, nil
	}
	if err != nil {
		return store.Digest{}, false, fmt.Errorf("read the last digest of writer %s: %w", writer, err)
	}
	return digest, true, nil
}

// Digests returns up to limit digests of a writer whose First is above after, lowest first.
func (d *DB) Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]store.Digest, error) {
	defer d.timer.Observe("digests", time.Now())
	return queryDigests(ctx, d.read, writer, after, limit)
}

// querier is a database, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func queryDigests(ctx context.Context, q querier, writer uuid.UUID, after int64, limit int) ([]store.Digest, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+digestColumns+` FROM audit_digests WHERE writer_id = ? AND first_seq > ?
		ORDER BY first_seq LIMIT ?`, writer[:], after, limit)
	if err != nil {
		return nil, fmt.Errorf("query digests: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var list []store.Digest
	for rows.Next() {
		digest, err := scanDigest(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read digests: %w", err)
		}
		list = append(list, digest)
	}
	return list, rows.Err()
}

// scanDigest reads a row. One whose ids or hashes have another length than ours is not what was signed: it loses its signature.
func scanDigest(scan func(...any) error) (d store.Digest, err error) {
	var writer, root, previous []byte
	var created int64
	if err := scan(&writer, &d.First, &d.Last, &root, &previous, &d.Signature, &d.KeyID, &created); err != nil {
		return d, err
	}
	if len(writer) != len(d.Writer) || len(root) != len(d.Root) || len(previous) != len(d.Previous) {
		d.Signature = nil
	}
	copy(d.Writer[:], writer)
	copy(d.Root[:], root)
	copy(d.Previous[:], previous)
	d.CreatedAt = time.UnixMicro(created).UTC()
	return d, nil
}
