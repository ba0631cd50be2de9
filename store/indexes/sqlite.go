package indexes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sark/store/migrations"
)

// SQLite are the indexes of a SQLite file. Its one writer waits while an index is built; there is no other way there.
type SQLite struct {
	db *sql.DB
}

// OpenSQLite opens a file, which has to exist. It changes nothing in it.
func OpenSQLite(path string) (*SQLite, error) {
	db, err := migrations.Open(migrations.SQLite, path)
	if err != nil {
		return nil, fmt.Errorf("open indexes: %w", err)
	}
	db.SetMaxOpenConns(1)
	return &SQLite{db: db}, nil
}

// Close closes the file.
func (s *SQLite) Close() error { return s.db.Close() }

// Plan says of every index how it stands and what it needs, without changing anything. In SQLite an index is there and
// valid, or it is missing: it is built in a transaction.
func (s *SQLite) Plan(ctx context.Context) ([]Step, error) {
	var steps []Step
	for _, x := range All() {
		var tables, indexes int
		err := s.db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE type = 'table' AND name = ?),
			count(*) FILTER (WHERE type = 'index' AND name = ?) FROM sqlite_schema`, x.Table, x.Name).Scan(&tables, &indexes)
		switch {
		case err != nil:
			return nil, fmt.Errorf("look at index %s: %w", x.Name, err)
		case tables == 0:
			return nil, fmt.Errorf(`table %s is missing; make it with "sark migrate"`, x.Table)
		}
		step := Step{Index: x, State: Present, Shape: Plain}
		if indexes == 0 {
			step.State, step.Statements = Missing, []string{x.statement("", x.Name, "", x.Table, "")}
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// Lock does nothing: a statement of SQLite takes the file's lock by itself.
func (s *SQLite) Lock(context.Context) error { return nil }

// Run executes a step's statements, each announced before by telling. Its error is an *Error.
func (s *SQLite) Run(ctx context.Context, step Step, telling func(statement string)) error {
	for _, statement := range step.Statements {
		telling(statement)
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return &Error{Index: step.Index.Name, Cause: fmt.Errorf("%s: %w", statement, err), Fix: `run "sark indexes apply" again`}
		}
	}
	return nil
}

// Analyze brings the planner's statistics up to date, from a sample of each index so that a long trail does not take long.
func (s *SQLite) Analyze(ctx context.Context, telling func(statement string)) error {
	for _, statement := range []string{"PRAGMA analysis_limit = 1000", "ANALYZE"} {
		telling(statement)
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// ErrNotCounted says that SQLite does not count how much an index is used.
var ErrNotCounted = errors.New(`SQLite does not count how often an index is used; "sark db explain" shows which one a query takes`)
