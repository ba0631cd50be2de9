package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store"
	"sark/store/migrations"
)

// queueHours notes, in the transaction that stores events, which hours are to be counted again.
func queueHours(b *pgx.Batch, tuples [][]byte) {
	for _, hour := range store.HoursOf(tuples) {
		b.Queue("INSERT INTO audit_rollup_dirty (hour) VALUES ($1)", hour)
	}
}

// DirtyHours implements store.Keeper. There are none where the server counts by itself.
func (d *DB) DirtyHours(ctx context.Context, limit int) ([]time.Time, error) {
	defer d.timer.Observe("dirty_hours", time.Now())
	view, err := d.rollupView(ctx)
	if err != nil {
		return nil, err
	}
	if view {
		_, err := d.exec(ctx, "DELETE FROM audit_rollup_dirty")
		return nil, maintained("forget hours that the server counts", err)
	}
	hours, err := list(ctx, d.api, pgx.RowTo[time.Time], "SELECT DISTINCT hour FROM audit_rollup_dirty ORDER BY hour LIMIT $1", limit)
	if err != nil {
		return nil, fmt.Errorf("list hours to count: %w", err)
	}
	return hours, nil
}

func (d *DB) rollupView(ctx context.Context) (bool, error) {
	found, err := list(ctx, d.api, pgx.RowTo[bool], "SELECT to_regclass($1) IS NOT NULL", migrations.RollupView)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", migrations.RollupView, err)
	}
	return found[0], nil
}

// Recount implements store.Keeper. The note is taken away first: of what is stored after that there is another one, and what
// was stored before is seen by the count.
func (d *DB) Recount(ctx context.Context, hour time.Time) error {
	defer d.timer.Observe("recount", time.Now())
	err := d.inTurn(ctx, func(tx pgx.Tx) error {
		for _, statement := range []string{
			"DELETE FROM audit_rollup_dirty WHERE hour = $1", "DELETE FROM audit_rollups WHERE hour = $1", countHour,
		} {
			if _, err := tx.Exec(ctx, statement, hour); err != nil {
				return err
			}
		}
		return nil
	})
	return maintained("count the events of an hour", err)
}

const countHour = `INSERT INTO audit_rollups
	SELECT $1::timestamptz, coalesce(server_id, ''), coalesce(server_name, ''), coalesce(tool_name, ''), coalesce(decision, ''),
		coalesce(outcome, ''), count(*), sum(duration_us), sum(upstream_us), sum(bytes_in), sum(bytes_out)
	FROM audit_events WHERE "timestamp" >= $1::timestamptz AND "timestamp" < $1::timestamptz + INTERVAL '1 hour' GROUP BY 1, 2, 3, 4, 5, 6`

// Rollups counts events by hour or day, oldest first. A filter that could never match is a store.FilterError.
func (d *DB) Rollups(ctx context.Context, f store.RollupFilter) (store.RollupPage, error) {
	defer d.timer.Observe("rollups", time.Now())
	if err := f.Validate(); err != nil {
		return store.RollupPage{}, err
	}
	view, err := d.rollupView(ctx)
	if err != nil {
		return store.RollupPage{}, err
	}
	query, args := rollupQuery(f, view)
	items, err := list(ctx, d.api, scanRollup, query, args...)
	if err != nil {
		return store.RollupPage{}, fmt.Errorf("query rollups: %w", err)
	}
	if len(items) > store.MaxRollups {
		return store.RollupPage{Items: items[:store.MaxRollups], HasMore: true}, nil
	}
	return store.RollupPage{Items: items}, nil
}

func rollupQuery(f store.RollupFilter, view bool) (string, []any) {
	source := "audit_rollups"
	if view {
		source = migrations.RollupView
	}
	w := new(where)
	bucket := "hour"
	if f.Bucket == store.BucketDay {
		bucket = "date_trunc('day', hour, 'UTC')"
	}
	if !f.From.IsZero() {
		w.add("hour >= " + w.arg(f.From.UTC().Truncate(f.Width())))
	}
	if !f.To.IsZero() {
		w.add("hour < " + w.arg(f.To.UTC().Add(f.Width()-1).Truncate(f.Width())))
	}
	if _, err := uuid.Parse(f.Server); err == nil {
		w.equal("server_id", f.Server)
	} else {
		w.equal("server_name", f.Server)
	}
	w.equal("tool_name", f.Tool)
	query := "SELECT " + bucket + ` AS start, server_id, server_name, tool_name, decision, outcome, sum(events)::bigint,
		sum(duration_us)::bigint, sum(upstream_us)::bigint, sum(bytes_in)::bigint, sum(bytes_out)::bigint FROM ` + source + w.String() +
		` GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6 LIMIT ` + w.arg(store.MaxRollups+1)
	return query, w.args
}

func scanRollup(row pgx.CollectableRow) (r store.Rollup, err error) {
	err = row.Scan(&r.Start, &r.ServerID, &r.ServerName, &r.ToolName, &r.Decision, &r.Outcome, &r.Events, &r.DurationUS,
		&r.UpstreamUS, &r.BytesIn, &r.BytesOut)
	r.Start = r.Start.UTC()
	return r, err
}
