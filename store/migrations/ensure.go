package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// EnsureOptions say what the trail of a PostgreSQL database should be like, beyond its numbered steps.
type EnsureOptions struct {
	// CompressAfter is the age, to the second, at which chunks are compressed in ModeTimescale; 0 leaves them as they are.
	CompressAfter time.Duration
	// Empty leaves a plain table that has rows as it is: to change it locks everybody out for a while.
	Empty bool
	// Before is told each statement before it runs. It may be nil.
	Before func(statement string)
}

// ensureLock is the advisory lock under which one process at a time ensures: "sark" in ASCII.
const ensureLock = 0x7361726b

// Ensure makes the trail what suits the server's mode, and returns the statements that it ran: a hypertable of one chunk a
// day, with compression and hourly counts in ModeTimescale; daily native partitions, up to DaysAhead made ahead, in
// ModeNone. What is as it should be is left alone, so that it can run at every start. It is not among the numbered steps
// because a server's offer may change. To make a hypertable of a table that has rows moves them, during which nobody can
// write; to make partitions looks at each.
func Ensure(ctx context.Context, db *sql.DB, o EnsureOptions) (ran []string, err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("ensure the trail: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.ExecContext(ctx, "SELECT pg_advisory_lock($1)", ensureLock); err != nil {
		return nil, fmt.Errorf("lock for ensuring the trail: %w", err)
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
		if o.Before != nil {
			o.Before(s)
		}
		if _, err := c.ExecContext(ctx, s); err != nil {
			return ran, fmt.Errorf("ensure the trail: %s: %w", s, err)
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
	if err != nil {
		return nil, err
	}
	if mode == ModeNone {
		return partitionPlan(ctx, db, o)
	}
	has, err := readHypertable(ctx, db, mode)
	if err != nil || o.Empty && !has.exists && has.rows {
		return nil, err
	}
	return has.lacks(mode, o), nil
}

// EnsureSQL returns every statement that Ensure may run on a server of a mode, for administrators who apply them by hand.
func EnsureSQL(mode Mode, o EnsureOptions) ([]string, error) {
	if mode == ModeNone {
		convert, err := partitionSQL()
		return []string{convert}, err
	}
	return hypertable{}.lacks(mode, o), nil
}
