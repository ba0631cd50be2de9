package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sark/store"
)

// What one step of retention deletes at most: the shipper waits for no longer than that takes.
const (
	expireRows    = 2000
	expireDigests = 2000
)

// Prepare implements store.Keeper. A file needs no room ahead.
func (d *DB) Prepare(context.Context) (int, error) { return 0, nil }

// Expire implements store.Keeper. An event goes when it is from before the cutoff and was stored before it, by its digest:
// what came late stays for as long as if it were from when it came. The file does not shrink, its pages are used again.
func (d *DB) Expire(ctx context.Context, mark store.RetentionMark) (removed store.Removed, err error) {
	defer d.timer.Observe("expire", time.Now())
	err = d.inTx(ctx, func(tx *sql.Tx) error {
		removed, err = expire(ctx, tx, mark)
		return err
	})
	if err != nil {
		return store.Removed{}, fmt.Errorf("remove old events: %w", err)
	}
	return removed, nil
}

func expire(ctx context.Context, tx *sql.Tx, mark store.RetentionMark) (store.Removed, error) {
	rows, err := expireEvents(ctx, tx, mark.Cutoff)
	if err != nil {
		return store.Removed{}, err
	}
	if rows > 0 {
		return store.Removed{Rows: rows, More: true}, saveMark(ctx, tx, mark)
	}
	pruned, err := pruneDigests(ctx, tx)
	return store.Removed{More: pruned}, err
}

func expireEvents(ctx context.Context, tx *sql.Tx, cutoff time.Time) (int64, error) {
	deleted, err := tx.QueryContext(ctx, `DELETE FROM audit_events WHERE rowid IN (
			SELECT e.rowid FROM audit_events e WHERE e."timestamp" < ?1 AND coalesce((
				SELECT created_at FROM audit_digests d WHERE d.writer_id = e.writer_id AND d.first_seq <= e.seq
				ORDER BY d.first_seq DESC LIMIT 1) < ?1, 1)
			ORDER BY e."timestamp" LIMIT ?2)
		RETURNING "timestamp" / 3600000000 * 3600000000`, cutoff.UnixMicro(), expireRows)
	if err != nil {
		return 0, err
	}
	defer deleted.Close() //nolint:errcheck // its error is that of deleted.Err
	var rows int64
	hours := make(map[int64]bool)
	for deleted.Next() {
		var hour int64
		if err := deleted.Scan(&hour); err != nil {
			return 0, err
		}
		rows++
		hours[hour] = true
	}
	if err := deleted.Err(); err != nil {
		return 0, err
	}
	for hour := range hours {
		if err := noteHour(ctx, tx, hour); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

func saveMark(ctx context.Context, tx *sql.Tx, m store.RetentionMark) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit_retention (cutoff, rule, created_at, key_id, signature) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, m.Cutoff.UnixMicro(), m.Rule, m.CreatedAt.UnixMicro(), m.KeyID, m.Signature)
	if err != nil {
		return fmt.Errorf("store the retention mark: %w", err)
	}
	return nil
}

// pruneDigests deletes digests of events that are gone by a mark, but of each writer keeps the last such digest: it shows where
// the rest begins.
func pruneDigests(ctx context.Context, tx *sql.Tx) (more bool, err error) {
	writers, err := listWriters(ctx, tx)
	if err != nil {
		return false, fmt.Errorf("delete digests: %w", err)
	}
	for _, writer := range writers {
		r, err := tx.ExecContext(ctx, `DELETE FROM audit_digests WHERE rowid IN (SELECT place FROM (
				SELECT place, lead(created_at) OVER (ORDER BY first_seq) AS next FROM (
					SELECT rowid AS place, first_seq, created_at FROM audit_digests WHERE writer_id = ? ORDER BY first_seq LIMIT ?))
			WHERE next < (SELECT max(cutoff) FROM audit_retention))`, writer, expireDigests)
		if err != nil {
			return false, fmt.Errorf("delete digests: %w", err)
		}
		n, err := r.RowsAffected()
		if err != nil {
			return false, fmt.Errorf("delete digests: %w", err)
		}
		more = more || n >= expireDigests-1 // the last one has no next in sight
	}
	return more, nil
}

func listWriters(ctx context.Context, tx *sql.Tx) (writers [][]byte, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT writer_id FROM audit_writer_offset")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	for rows.Next() {
		var writer []byte
		if err := rows.Scan(&writer); err != nil {
			return nil, err
		}
		writers = append(writers, writer)
	}
	return writers, rows.Err()
}
