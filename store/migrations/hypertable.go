package migrations

import (
	"context"
	"fmt"
	"time"
)

// RollupView is the continuous aggregate with the hourly counts in ModeTimescale. Elsewhere the gateways keep the same
// columns in the table audit_rollups.
const RollupView = "audit_rollups_hourly"

// hypertable is how far the trail is one.
type hypertable struct {
	exists, rows, compressed bool
	compressAfter            time.Duration // of the policy that there is; 0: none
	retained                 bool          // there is a retention policy
	rollups, refreshed       bool          // the continuous aggregate, and its policy
}

func readHypertable(ctx context.Context, db querier, mode Mode) (hypertable, error) {
	var h hypertable
	err := db.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT FROM timescaledb_information.hypertables
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events'),
		EXISTS (SELECT FROM audit_events)`).Scan(&h.exists, &h.rows)
	if err != nil || mode != ModeTimescale {
		return h, wrapLook(err)
	}
	var compressAfter int64
	err = db.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT FROM timescaledb_information.hypertables
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events' AND compression_enabled),
		coalesce((SELECT extract(epoch FROM (config->>'compress_after')::interval)::bigint FROM timescaledb_information.jobs
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events' AND config ? 'compress_after'), 0),
		EXISTS (SELECT FROM timescaledb_information.jobs
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events' AND config ? 'drop_after'),
		to_regclass($1) IS NOT NULL,
		EXISTS (SELECT FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates a
			ON j.hypertable_name IN (a.view_name, a.materialization_hypertable_name) AND a.view_schema = current_schema() AND a.view_name = $1
			WHERE j.proc_name = 'policy_refresh_continuous_aggregate')`, RollupView).
		Scan(&h.compressed, &compressAfter, &h.retained, &h.rollups, &h.refreshed)
	h.compressAfter = time.Duration(compressAfter) * time.Second
	return h, wrapLook(err)
}

func wrapLook(err error) error {
	if err != nil {
		return fmt.Errorf("look at the hypertable: %w", err)
	}
	return nil
}

// lacks lists the statements that make h what o asks for. Chunks are of one day, so that a recent one and its indexes fit
// into memory up to some twenty million events a day; they are compressed by server, the filter that stays fast on old ones.
// A retention policy of the server's own is removed: it cannot sign what it drops, which would then be missing.
func (h hypertable) lacks(mode Mode, o EnsureOptions) []string {
	var list []string
	if !h.exists {
		list = append(list, `SELECT create_hypertable('audit_events', by_range('timestamp', INTERVAL '1 day'), `+
			`create_default_indexes => false, migrate_data => true)`)
	}
	if mode != ModeTimescale {
		return list
	}
	if o.CompressAfter > 0 && !h.compressed {
		list = append(list, `ALTER TABLE audit_events SET (timescaledb.compress, timescaledb.compress_segmentby = 'server_id', `+
			`timescaledb.compress_orderby = '"timestamp" DESC')`)
	}
	list = append(list, compression(h.compressAfter, o.CompressAfter)...)
	if h.retained {
		list = append(list, `SELECT remove_retention_policy('audit_events')`)
	}
	if !h.rollups {
		list = append(list, rollupView)
	}
	if !h.refreshed {
		list = append(list, `SELECT add_continuous_aggregate_policy('`+RollupView+`', start_offset => NULL, `+
			`end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '15 minutes')`)
	}
	return list
}

// rollupView counts as audit_rollups does. What is newer than its last refresh is counted when it is asked for.
const rollupView = `CREATE MATERIALIZED VIEW ` + RollupView + ` WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
    SELECT time_bucket(INTERVAL '1 hour', "timestamp") AS hour, coalesce(server_id, '') AS server_id,
        coalesce(server_name, '') AS server_name, coalesce(tool_name, '') AS tool_name, coalesce(decision, '') AS decision,
        coalesce(outcome, '') AS outcome, count(*) AS events, sum(duration_us) AS duration_us, sum(upstream_us) AS upstream_us,
        sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out
    FROM audit_events GROUP BY 1, 2, 3, 4, 5, 6 WITH NO DATA`

// compression replaces the policy by one with another age, sets or removes it.
func compression(has, want time.Duration) []string {
	want = want.Truncate(time.Second)
	var list []string
	if has != want && has > 0 {
		list = append(list, `SELECT remove_compression_policy('audit_events')`)
	}
	if has != want && want > 0 {
		list = append(list, fmt.Sprintf(`SELECT add_compression_policy('audit_events', compress_after => INTERVAL '%d seconds')`,
			int64(want.Seconds())))
	}
	return list
}
