package inspect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Statement is how long one statement took over all its calls, in milliseconds.
type Statement struct {
	Query  string  `json:"query"` // with its constants replaced by $1, $2
	Calls  int64   `json:"calls"`
	Mean   float64 `json:"mean_exec_time_ms"`
	Max    float64 `json:"max_exec_time_ms"`
	StdDev float64 `json:"stddev_exec_time_ms"`
	Total  float64 `json:"total_exec_time_ms"`
}

// ErrNotCollected says that the server does not collect how long statements take. The text of the error that wraps it says
// what to do.
var ErrNotCollected = errors.New("the server does not collect how long statements take")

// codeNotLoaded is SQLSTATE object_not_in_prerequisite_state: the view exists and the library is not loaded.
const codeNotLoaded = "55000"

// Slow lists the statements of the database that are slowest in the mean, at most limit, without questions to these
// statistics themselves. It wraps ErrNotCollected.
func (s *Server) Slow(ctx context.Context, limit int) ([]Statement, error) {
	var view string // the extension may be in any schema
	err := s.conn.QueryRow(ctx, `SELECT quote_ident(nspname) || '.pg_stat_statements' FROM pg_extension
		JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_stat_statements'`).Scan(&view)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, s.enable(ctx, true)
	}
	if err != nil {
		return nil, fmt.Errorf("look for pg_stat_statements: %w", err)
	}
	rows, err := s.conn.Query(ctx, `SELECT query, calls, mean_exec_time, max_exec_time, stddev_exec_time, total_exec_time FROM `+view+`
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_statements%'
		ORDER BY mean_exec_time DESC LIMIT $1`, limit)
	var list []Statement
	if err == nil {
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Statement])
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == codeNotLoaded {
		return nil, s.enable(ctx, false)
	}
	if err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	return list, nil
}

// enable says how to make the server collect, as far as it does not yet: the library is loaded at its start, and the
// extension made in this database.
func (s *Server) enable(ctx context.Context, create bool) error {
	var database, role string
	var libraries *string // hidden from roles without pg_read_all_settings
	err := s.conn.QueryRow(ctx, `SELECT quote_ident(current_database()), quote_ident(current_user),
		(SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries')`).Scan(&database, &role, &libraries)
	if err != nil {
		return fmt.Errorf("ask how the server is set up: %w", err)
	}
	var steps []string
	if libraries == nil || !strings.Contains(*libraries, "pg_stat_statements") {
		loaded := "pg_stat_statements"
		if libraries != nil && *libraries != "" {
			loaded = *libraries + "," + loaded
		}
		steps = append(steps, fmt.Sprintf("set shared_preload_libraries = '%s' in postgresql.conf and restart the server", loaded))
	}
	if create {
		steps = append(steps, fmt.Sprintf("run in database %s as a superuser: CREATE EXTENSION pg_stat_statements", database))
	}
	steps = append(steps, fmt.Sprintf("unless it may already: GRANT pg_read_all_stats TO %s", role))
	for i := range steps {
		steps[i] = fmt.Sprintf("%d. %s", i+1, steps[i])
	}
	return fmt.Errorf("%w (pg_stat_statements); to enable that: %s", ErrNotCollected, strings.Join(steps, "; "))
}
