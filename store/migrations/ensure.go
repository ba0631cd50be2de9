package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// EnsureOptions say what the trail of a TimescaleDB server should be like, beyond its numbered steps.
type EnsureOptions struct {
	// Retention is the age, to the second, at which chunks are dropped; 0 keeps them.
	Retention time.Duration
	// CompressAfter is the age, to the second, at which chunks are compressed; 0 leaves them as they are.
	CompressAfter time.Duration
}

// ensureLock is the advisory lock under which one process at a time ensures: "sark" in ASCII.
const ensureLock = 0x7361726b

// Ensure makes the trail on a server of ModeTimescale a hypertable of one chunk a day and sets its policies, and returns the
// statements that it ran. What is as it should be is left alone, so that it can run at every start. In every other mode
// there is nothing to do. Making a hypertable of a table that has rows moves them, during which nobody can write.
func Ensure(ctx context.Context, db *sql.DB, o EnsureOptions) (ran []string, err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("ensure hypertable: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.ExecContext(ctx, "SELECT pg_advisory_lock($1)", ensureLock); err != nil {
		return nil, fmt.Errorf("lock for ensuring the hypertable: %w", err)
	}
	defer func() {
		_, unlockErr := c.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", ensureLock)
		err = errors.Join(err, unlockErr)
	}()
	statements, err := ensurePlan(ctx, c, o)
	if err != nil {
		return nil, err
	}
	for _, s := range statements {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return ran, fmt.Errorf("ensure hypertable: %s: %w", s, err)
		}
		ran = append(ran, s)
	}
	return ran, nil
}

// EnsurePlan returns the statements that Ensure would run, without running any.
func EnsurePlan(ctx context.Context, db *sql.DB, o EnsureOptions) ([]string, error) {
	return ensurePlan(ctx, db, o)
}

func ensurePlan(ctx context.Context, db querier, o EnsureOptions) ([]string, error) {
	mode, err := detectMode(ctx, db)
	if err != nil || mode != ModeTimescale {
		return nil, err
	}
	has, err := readHypertable(ctx, db)
	if err != nil {
		return nil, err
	}
	return has.lacks(o), nil
}

// EnsureSQL returns every statement that Ensure may run on a server of ModeTimescale, for administrators who apply them by
// hand.
func EnsureSQL(o EnsureOptions) []string { return hypertable{}.lacks(o) }

// hypertable is how far the trail is one.
type hypertable struct {
	exists, compressed       bool
	compressAfter, retention time.Duration // of the policies that there are; 0: none
}

func readHypertable(ctx context.Context, db querier) (hypertable, error) {
	var h hypertable
	var compressAfter, retention int64
	err := db.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT FROM timescaledb_information.hypertables
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events'),
		EXISTS (SELECT FROM timescaledb_information.hypertables
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events' AND compression_enabled),
		coalesce((SELECT extract(epoch FROM (config->>'compress_after')::interval)::bigint FROM timescaledb_information.jobs
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events' AND config ? 'compress_after'), 0),
		coalesce((SELECT extract(epoch FROM (config->>'drop_after')::interval)::bigint FROM timescaledb_information.jobs
			WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events' AND config ? 'drop_after'), 0)`).
		Scan(&h.exists, &h.compressed, &compressAfter, &retention)
	if err != nil {
		return h, fmt.Errorf("look at the hypertable: %w", err)
	}
	h.compressAfter, h.retention = time.Duration(compressAfter)*time.Second, time.Duration(retention)*time.Second
	return h, nil
}

// lacks lists the statements that make h what o asks for. Chunks are of one day, so that a recent one and its indexes fit
// into memory up to some twenty million events a day; they are compressed by server, the filter that stays fast on old ones.
func (h hypertable) lacks(o EnsureOptions) []string {
	var list []string
	if !h.exists {
		list = append(list, `SELECT create_hypertable('audit_events', by_range('timestamp', INTERVAL '1 day'), `+
			`create_default_indexes => false, migrate_data => true)`)
	}
	if o.CompressAfter > 0 && !h.compressed {
		list = append(list, `ALTER TABLE audit_events SET (timescaledb.compress, timescaledb.compress_segmentby = 'server_id', `+
			`timescaledb.compress_orderby = '"timestamp" DESC')`)
	}
	list = append(list, policy("compression", "compress_after", h.compressAfter, o.CompressAfter)...)
	return append(list, policy("retention", "drop_after", h.retention, o.Retention)...)
}

// policy replaces a policy by one with another age, sets or removes it.
func policy(kind, age string, has, want time.Duration) []string {
	want = want.Truncate(time.Second)
	var list []string
	if has != want && has > 0 {
		list = append(list, fmt.Sprintf(`SELECT remove_%s_policy('audit_events')`, kind))
	}
	if has != want && want > 0 {
		list = append(list, fmt.Sprintf(`SELECT add_%s_policy('audit_events', %s => INTERVAL '%d seconds')`, kind, age, int64(want.Seconds())))
	}
	return list
}
