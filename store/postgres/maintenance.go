package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/store"
	"sark/store/migrations"
)

// turnLock is the advisory lock of whose turn it is: "turn" in ASCII. It is held for a transaction, so that it works behind
// a pooler, and ends with the connection.
const turnLock = 0x7475726e

// turnSettings keep a step from standing in the shipper's way: what has to wait for a lock gives up and is tried again later.
const turnSettings = "SET LOCAL lock_timeout = '2s'"

const codeNoRight = "42501" // insufficient_privilege

// inTurn runs a step in a transaction, unless another gateway is at one.
func (d *DB) inTurn(ctx context.Context, step func(tx pgx.Tx) error) error {
	c, err := d.api.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		var ours bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", turnLock).Scan(&ours); err != nil {
			return err
		}
		if !ours {
			return store.ErrNotOurTurn
		}
		if _, err := tx.Exec(ctx, turnSettings); err != nil {
			return err
		}
		return step(tx)
	})
}

// maintained says what a step was about, and what to do about a login without the right to it.
func maintained(what string, err error) error {
	switch {
	case err == nil || errors.Is(err, store.ErrNotOurTurn):
		return err
	case state(err) == codeNoRight:
		return fmt.Errorf("%s: the login of store.url must own the tables of the trail, or be granted the role that does: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Prepare implements store.Keeper: it makes the partitions of the coming days where the trail has native ones.
func (d *DB) Prepare(ctx context.Context) (made int, err error) {
	defer d.timer.Observe("prepare", time.Now())
	err = d.inTurn(ctx, func(tx pgx.Tx) error {
		layout, err := readLayout(ctx, tx)
		if err != nil || layout != layoutPartitions {
			return err
		}
		return tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE sark_audit_partition((now() AT TIME ZONE 'UTC')::date + n))
			FROM generate_series(0, $1::integer) n`, migrations.DaysAhead).Scan(&made)
	})
	return made, maintained("make partitions", err)
}

// layout is how the trail is kept at the moment: the schema may be migrated under us.
type layout int

const (
	layoutPlain layout = iota
	layoutPartitions
	layoutHypertable
)

func readLayout(ctx context.Context, tx pgx.Tx) (layout, error) {
	var partitioned, timescale, hypertable bool
	err := tx.QueryRow(ctx, `SELECT relkind = 'p', EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
		FROM pg_class WHERE oid = 'audit_events'::regclass`).Scan(&partitioned, &timescale)
	switch {
	case err != nil:
		return layoutPlain, err
	case partitioned:
		return layoutPartitions, nil
	case !timescale:
		return layoutPlain, nil
	}
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM timescaledb_information.hypertables
		WHERE hypertable_schema = current_schema() AND hypertable_name = 'audit_events')`).Scan(&hypertable)
	if hypertable {
		return layoutHypertable, err
	}
	return layoutPlain, err
}
