package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Mode is how a PostgreSQL database keeps the trail, which follows from what the server offers.
type Mode string

// The modes.
const (
	// ModeNone is a server without TimescaleDB, or a database in which it was not created when the trail was partitioned:
	// native partitions of a day, which the gateways make and drop.
	ModeNone Mode = "none"
	// ModeApache is TimescaleDB under its Apache license, as some hosted servers have it: a hypertable, but neither
	// compression nor continuous aggregates nor policies. The gateways drop chunks and count.
	ModeApache Mode = "apache"
	// ModeTimescale is TimescaleDB with everything.
	ModeTimescale Mode = "timescale"
)

// DetectMode asks a PostgreSQL database how it keeps the trail, or would.
func DetectMode(ctx context.Context, db *sql.DB) (Mode, error) { return detectMode(ctx, db) }

// querier is a database, or one connection to it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// detectMode leaves a trail that has native partitions in ModeNone: it cannot be made a hypertable.
func detectMode(ctx context.Context, db querier) (Mode, error) {
	var license sql.NullString
	err := db.QueryRowContext(ctx, `SELECT current_setting('timescaledb.license', true) FROM pg_extension
		WHERE extname = 'timescaledb' AND NOT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('audit_events') AND relkind = 'p')`).
		Scan(&license)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ModeNone, nil
	case err != nil:
		return "", fmt.Errorf("look for timescaledb: %w", err)
	case license.String == "timescale":
		return ModeTimescale, nil
	}
	return ModeApache, nil
}
