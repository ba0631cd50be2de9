package inspect

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store/migrations"
	"sark/store/postgres"
	"sark/store/sqlite"
)

// Plan is how a database has executed, or in SQLite would execute, a question.
type Plan struct {
	Query string          `json:"query"` // the question's name
	Value string          `json:"value"` // what was asked for; empty when the question takes nothing
	SQL   string          `json:"sql"`
	Lines []string        `json:"-"` // for people
	Plan  json.RawMessage `json:"plan"`
}

// explainTimeout bounds what is executed to show how.
const explainTimeout = "60s"

// Explain executes a question in a read-only transaction, rolls it back, and returns the plan with its times and pages read,
// as lines or, when asJSON is true, as JSON. Without a value the question asks for that of the newest row.
func (s *Server) Explain(ctx context.Context, q Question, value string, asJSON bool) (p Plan, err error) {
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return p, fmt.Errorf("explain %s: %w", q.Name, err)
	}
	defer func() { err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx))) }()
	p = Plan{Query: q.Name, Value: value}
	if err := explain(ctx, tx, q, &p, asJSON); err != nil {
		return p, fmt.Errorf("explain %s: %w", q.Name, err)
	}
	return p, nil
}

func explain(ctx context.Context, tx pgx.Tx, q Question, p *Plan, asJSON bool) error {
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = '"+explainTimeout+"'"); err != nil {
		return err
	}
	if p.Value == "" && q.example != "" {
		err := tx.QueryRow(ctx, "SELECT value::text FROM ("+q.sample()+") AS newest (value)").Scan(&p.Value)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) { // an empty table shows an empty plan
			return fmt.Errorf("find a value to ask for: %w", err)
		}
	}
	query, args, err := q.statement(dialect{postgres.EventQuery, postgres.ServerQuery}, p.Value)
	if err != nil {
		return err
	}
	p.SQL = query
	options := "ANALYZE, BUFFERS"
	if asJSON {
		return tx.QueryRow(ctx, "EXPLAIN ("+options+", FORMAT JSON) "+query, args...).Scan(&p.Plan)
	}
	rows, err := tx.Query(ctx, "EXPLAIN ("+options+") "+query, args...)
	if err != nil {
		return err
	}
	p.Lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

// ExplainSQLite returns the plan that SQLite makes for a question on the file at a path. It executes nothing: SQLite measures
// no plans. Without a value the question asks for that of the newest row.
func ExplainSQLite(ctx context.Context, path string, q Question, value string) (p Plan, err error) {
	db, err := migrations.Open(migrations.SQLite, path)
	if err != nil {
		return p, fmt.Errorf("explain %s: %w", q.Name, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	p = Plan{Query: q.Name, Value: value}
	if err := explainSQLite(ctx, db, q, &p); err != nil {
		return p, fmt.Errorf("explain %s: %w", q.Name, err)
	}
	p.Plan, err = json.Marshal(p.Lines)
	return p, err
}

func explainSQLite(ctx context.Context, db *sql.DB, q Question, p *Plan) error {
	if p.Value == "" && q.example != "" {
		var newest any
		if err := db.QueryRowContext(ctx, q.sample()).Scan(&newest); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("find a value to ask for: %w", err)
		}
		p.Value = sqliteText(newest)
	}
	query, args, err := q.statement(dialect{sqlite.EventQuery, sqlite.ServerQuery}, p.Value)
	if err != nil {
		return err
	}
	p.SQL = query
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	depth := map[int]int{0: -1}
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return err
		}
		depth[id] = depth[parent] + 1
		p.Lines = append(p.Lines, strings.Repeat("  ", depth[id])+detail)
	}
	return rows.Err()
}

// sqliteText spells a value as a question takes it: ids are kept as bytes.
func sqliteText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		if id, err := uuid.FromBytes(v); err == nil {
			return id.String()
		}
		return string(v)
	}
	return ""
}
