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

// noteHourStatement notes, in the transaction that changes events, that an hour is to be counted again.
const noteHourStatement = "INSERT INTO audit_rollup_dirty (hour) VALUES (?)"

func noteHour(ctx context.Context, tx *sql.Tx, hour int64) error {
	if _, err := tx.ExecContext(ctx, noteHourStatement, hour); err != nil {
		return fmt.Errorf("note hours: %w", err)
	}
	return nil
}

// DirtyHours implements store.Keeper.
func (d *DB) DirtyHours(ctx context.Context, limit int) ([]time.Time, error) {
	defer d.timer.Observe("dirty_hours", time.Now())
	rows, err := d.read.QueryContext(ctx, "SELECT DISTINCT hour FROM audit_rollup_dirty ORDER BY hour LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("list hours to count: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var hours []time.Time
	for rows.Next() {
		var hour int64
		if err := rows.Scan(&hour); err != nil {
			return nil, fmt.Errorf("list hours to count: %w", err)
		}
		hours = append(hours, time.UnixMicro(hour).UTC())
	}
	return hours, rows.Err()
}

// Recount implements store.Keeper. It counts beside the writer, in one view of the file, and only then writes: the notes of
// that view are taken away, later ones stay.
func (d *DB) Recount(ctx context.Context, hour time.Time) error {
	defer d.timer.Observe("recount", time.Now())
	upTo, counts, err := d.count(ctx, hour)
	if err == nil {
		err = d.inTx(ctx, func(tx *sql.Tx) error { return replaceCounts(ctx, tx, hour, upTo, counts) })
	}
	if err != nil {
		return fmt.Errorf("count the events of an hour: %w", err)
	}
	return nil
}

// count returns the counts of an hour, and the last note that they heed.
func (d *DB) count(ctx context.Context, hour time.Time) (upTo int64, counts []store.Rollup, err error) {
	tx, err := d.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM audit_rollup_dirty").Scan(&upTo); err != nil {
		return 0, nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT ?1, coalesce(server_id, ''), coalesce(server_name, ''), coalesce(tool_name, ''),
			coalesce(decision, ''), coalesce(outcome, ''), count(*), sum(duration_us), sum(upstream_us), sum(bytes_in), sum(bytes_out)
		FROM audit_events WHERE "timestamp" >= ?1 AND "timestamp" < ?2 GROUP BY 1, 2, 3, 4, 5, 6`,
		hour.UnixMicro(), hour.Add(time.Hour).UnixMicro())
	if err != nil {
		return 0, nil, err
	}
	counts, err = scanRollups(rows)
	return upTo, counts, err
}

func replaceCounts(ctx context.Context, tx *sql.Tx, hour time.Time, upTo int64, counts []store.Rollup) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM audit_rollup_dirty WHERE hour = ? AND id <= ?", hour.UnixMicro(), upTo); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM audit_rollups WHERE hour = ?", hour.UnixMicro()); err != nil {
		return err
	}
	for _, r := range counts {
		if _, err := tx.ExecContext(ctx, "INSERT INTO audit_rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", r.Start.UnixMicro(),
			r.ServerID, r.ServerName, r.ToolName, r.Decision, r.Outcome, r.Events, r.DurationUS, r.UpstreamUS, r.BytesIn, r.BytesOut); err != nil {
			return err
		}
	}
	return nil
}

// Rollups counts events by hour or day, oldest first. A filter that could never match is a store.FilterError.
func (d *DB) Rollups(ctx context.Context, f store.RollupFilter) (store.RollupPage, error) {
	defer d.timer.Observe("rollups", time.Now())
	if err := f.Validate(); err != nil {
		return store.RollupPage{}, err
	}
	query, args := rollupQuery(f)
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return store.RollupPage{}, fmt.Errorf("query rollups: %w", err)
	}
	items, err := scanRollups(rows)
	if err != nil {
		return store.RollupPage{}, fmt.Errorf("query rollups: %w", err)
	}
	if len(items) > store.MaxRollups {
		return store.RollupPage{Items: items[:store.MaxRollups], HasMore: true}, nil
	}
	return store.RollupPage{Items: items}, nil
}

func rollupQuery(f store.RollupFilter) (string, []any) {
	w := new(where)
	width := f.Width().Microseconds()
	if !f.From.IsZero() {
		w.add("hour >= ?", f.From.UTC().Truncate(f.Width()).UnixMicro())
	}
	if !f.To.IsZero() {
		w.add("hour < ?", f.To.UTC().Add(f.Width()-1).Truncate(f.Width()).UnixMicro())
	}
	if _, err := uuid.Parse(f.Server); err == nil {
		w.equal("server_id", f.Server)
	} else {
		w.equal("server_name", f.Server)
	}
	w.equal("tool_name", f.Tool)
	query := `SELECT hour / ? * ? AS start, server_id, server_name, tool_name, decision, outcome, sum(events), sum(duration_us),
		sum(upstream_us), sum(bytes_in), sum(bytes_out) FROM audit_rollups` + w.String() +
		` GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6 LIMIT ?`
	return query, append(append([]any{width, width}, w.args...), store.MaxRollups+1)
}

// scanRollups reads all rows and closes them.
func scanRollups(rows *sql.Rows) (items []store.Rollup, err error) {
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	for rows.Next() {
		var r store.Rollup
		var start int64
		if err := rows.Scan(&start, &r.ServerID, &r.ServerName, &r.ToolName, &r.Decision, &r.Outcome, &r.Events, &r.DurationUS,
			&r.UpstreamUS, &r.BytesIn, &r.BytesOut); err != nil {
			return nil, err
		}
		r.Start = time.UnixMicro(start).UTC()
		items = append(items, r)
	}
	return items, rows.Err()
}
