package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/store"
)

// What one step of retention removes at most where nothing can be dropped whole.
const (
	expireRows    = 5000
	expireDigests = 5000
)

// chunk is a part of the trail that can be dropped whole.
type chunk struct {
	Name         string
	Lower, Upper *time.Time // nil: no bound
}

// stored is when an event was stored, by the digest that accounts for it; NULL when none does.
const stored = `(SELECT created_at FROM audit_digests d WHERE d.writer_id = e.writer_id AND d.first_seq <= e.seq
	ORDER BY d.first_seq DESC LIMIT 1)`

// Expire implements store.Keeper. A chunk or partition is dropped when all of its events are from before the cutoff and were
// stored before it: what came late stays for as long as if it were from when it came, and so a changed time gains nothing.
// Events that lie in no such part, those of a plain table or of the default partition, are deleted by the thousand.
func (d *DB) Expire(ctx context.Context, mark store.RetentionMark) (removed store.Removed, err error) {
	defer d.timer.Observe("expire", time.Now())
	err = d.inTurn(ctx, func(tx pgx.Tx) error {
		removed, err = expire(ctx, tx, mark)
		return err
	})
	if err != nil {
		return store.Removed{}, maintained("remove old events", err)
	}
	return removed, nil
}

func expire(ctx context.Context, tx pgx.Tx, mark store.RetentionMark) (store.Removed, error) {
	l, err := readLayout(ctx, tx)
	if err != nil {
		return store.Removed{}, err
	}
	chunks, err := oldChunks(ctx, tx, l, mark.Cutoff)
	if err != nil {
		return store.Removed{}, err
	}
	for _, c := range chunks {
		rows, due, err := c.due(ctx, tx, mark.Cutoff)
		if err != nil {
			return store.Removed{}, err
		}
		if due {
			return store.Removed{Rows: rows, Chunks: 1, More: true}, c.drop(ctx, tx, l, mark)
		}
	}
	if l != layoutHypertable {
		if rows, err := expireSlice(ctx, tx, l, mark); err != nil || rows > 0 {
			return store.Removed{Rows: rows, More: true}, err
		}
	}
	pruned, err := pruneDigests(ctx, tx)
	return store.Removed{More: pruned}, err
}

// oldChunks lists the parts of which everything is from before the cutoff, oldest first.
func oldChunks(ctx context.Context, tx pgx.Tx, l layout, cutoff time.Time) ([]chunk, error) {
	var query string
	switch l {
	case layoutPlain:
		return nil, nil
	case layoutPartitions:
		query = `SELECT name, lower, upper FROM sark_audit_partitions() WHERE upper <= $1 ORDER BY upper`
	case layoutHypertable:
		query = `SELECT chunk_name::text, range_start, range_end FROM timescaledb_information.chunks
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events' AND range_end <= $1 ORDER BY range_end`
	}
	rows, err := tx.Query(ctx, query, cutoff)
	if err != nil {
		return nil, fmt.Errorf("list old chunks: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[chunk])
}

// due reports whether all events of a chunk were stored before the cutoff, and how many there are.
func (c chunk) due(ctx context.Context, tx pgx.Tx, cutoff time.Time) (rows int64, due bool, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(sum(n), 0)::bigint, coalesce(bool_and(`+stored+` < $3), true) FROM (
			SELECT writer_id, max(seq) AS seq, count(*) AS n FROM audit_events
			WHERE ($1::timestamptz IS NULL OR "timestamp" >= $1) AND "timestamp" < $2 GROUP BY writer_id) AS e`,
		c.Lower, c.Upper, cutoff).Scan(&rows, &due)
	if err != nil {
		return 0, false, fmt.Errorf("look at %s: %w", c.Name, err)
	}
	return rows, due, nil
}

func (c chunk) drop(ctx context.Context, tx pgx.Tx, l layout, mark store.RetentionMark) error {
	if err := saveMark(ctx, tx, mark); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO audit_rollup_dirty (hour) SELECT DISTINCT hour FROM audit_rollups
		WHERE ($1::timestamptz IS NULL OR hour >= $1) AND hour < $2`, c.Lower, c.Upper); err != nil {
		return fmt.Errorf("note hours: %w", err)
	}
	statement, args := "DROP TABLE "+pgx.Identifier{c.Name}.Sanitize(), []any{}
	if l == layoutHypertable {
		statement, args = `SELECT drop_chunks('audit_events', older_than => $2::timestamptz, newer_than => $1::timestamptz)`, []any{c.Lower, c.Upper}
	}
	if _, err := tx.Exec(ctx, statement, args...); err != nil {
		return fmt.Errorf("drop %s: %w", c.Name, err)
	}
	return nil
}

// expireSlice deletes some of the events that lie in no chunk that will be dropped soon.
func expireSlice(ctx context.Context, tx pgx.Tx, l layout, mark store.RetentionMark) (int64, error) {
	tables := []string{"audit_events"}
	if l == layoutPartitions {
		rows, err := tx.Query(ctx, "SELECT name FROM sark_audit_partitions() WHERE lower IS NULL ORDER BY upper")
		if err != nil {
			return 0, fmt.Errorf("list partitions: %w", err)
		}
		if tables, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return 0, fmt.Errorf("list partitions: %w", err)
		}
	}
	for _, table := range tables {
		name := pgx.Identifier{table}.Sanitize()
		tag, err := tx.Exec(ctx, `WITH gone AS (DELETE FROM `+name+` WHERE ctid = ANY (ARRAY(
				SELECT e.ctid FROM `+name+` e WHERE e."timestamp" < $1 AND coalesce(`+stored+` < $1, true)
				ORDER BY e."timestamp" LIMIT $2)) RETURNING "timestamp"),
			noted AS (INSERT INTO audit_rollup_dirty (hour) SELECT DISTINCT date_trunc('hour', "timestamp", 'UTC') FROM gone)
			SELECT FROM gone`, mark.Cutoff, expireRows)
		if err != nil {
			return 0, fmt.Errorf("delete from %s: %w", table, err)
		}
		if tag.RowsAffected() > 0 {
			return tag.RowsAffected(), saveMark(ctx, tx, mark)
		}
	}
	return 0, nil
}

func saveMark(ctx context.Context, tx pgx.Tx, m store.RetentionMark) error {
	_, err := tx.Exec(ctx, `INSERT INTO audit_retention (cutoff, rule, created_at, key_id, signature) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, m.Cutoff, storableText(m.Rule), m.CreatedAt, m.KeyID, m.Signature)
	if err != nil {
		return fmt.Errorf("store the retention mark: %w", err)
	}
	return nil
}

// pruneDigests deletes digests of events that are gone by a mark, but of each writer keeps the last such digest: it shows where
// the rest begins.
func pruneDigests(ctx context.Context, tx pgx.Tx) (bool, error) {
	tag, err := tx.Exec(ctx, `DELETE FROM audit_digests WHERE ctid = ANY (ARRAY(
			SELECT place FROM audit_writer_offset w, LATERAL (
				SELECT place, lead(created_at) OVER (ORDER BY first_seq) AS next FROM (
					SELECT ctid AS place, first_seq, created_at FROM audit_digests WHERE writer_id = w.writer_id
					ORDER BY first_seq LIMIT $1) AS oldest) AS o
			WHERE o.next < (SELECT max(cutoff) FROM audit_retention)))`, expireDigests)
	if err != nil {
		return false, fmt.Errorf("delete digests: %w", err)
	}
	return tag.RowsAffected() >= expireDigests-1, nil
}
