package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Mode is what a PostgreSQL server offers for tables of events.
type Mode string

// The modes.
const (
	// ModeNone is a server without TimescaleDB, or a database in which it was not created.
	ModeNone Mode = "none"
	// ModeApache is TimescaleDB under its Apache license, as some hosted servers have it: hypertables, but neither
	// compression nor retention policies.
	ModeApache Mode = "apache"
	// ModeTimescale is TimescaleDB with everything.
	ModeTimescale Mode = "timescale"
)

// DetectMode asks a PostgreSQL database what it offers.
func DetectMode(ctx context.Context, db *sql.DB) (Mode, error) { return detectMode(ctx, db) }

// querier is a database, or one connection to it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func detectMode(ctx context.Context, db querier) (Mode, error) {
	var license sql.NullString
	err := db.QueryRowContext(ctx, `SELECT current_setting('timescaledb.license', true) FROM pg_extension
		WHERE extname = 'timescaledb'`).Scan(&license)
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
