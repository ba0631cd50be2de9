package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/store/postgres"
)

// Server is a PostgreSQL database to look into, over one connection. It is for one goroutine.
type Server struct {
	conn *pgx.Conn
}

// Open connects to the database at a postgres:// URL.
func Open(ctx context.Context, url string) (*Server, error) {
	c, err := postgres.Connect(ctx, url, "inspect")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &Server{conn: c}, nil
}

// Close ends the connection.
func (s *Server) Close() error { return s.conn.Close(context.Background()) }

// Connections are the connections of one application to the database.
type Connections struct {
	Application       string `json:"application"` // as it calls itself: a gateway's are "sark api" and "sark audit"
	Total             int    `json:"total"`
	Active            int    `json:"active"`              // running a statement
	Idle              int    `json:"idle"`                // waiting for one
	IdleInTransaction int    `json:"idle_in_transaction"` // waiting for one with a transaction open, also after an error
	Other             int    `json:"other"`               // in another state, or one that the role may not see
}

// Connections counts the connections to the database by application, most first, without the one that asks; and tells how
// many the server allows to all databases together, and how many those have.
func (s *Server) Connections(ctx context.Context) (list []Connections, open, most int, err error) {
	rows, err := s.conn.Query(ctx, `SELECT coalesce(application_name, ''), count(*), count(*) FILTER (WHERE state = 'active'),
			count(*) FILTER (WHERE state = 'idle'), count(*) FILTER (WHERE state LIKE 'idle in transaction%'),
			count(*) FILTER (WHERE coalesce(state, '') NOT IN ('active', 'idle', 'idle in transaction', 'idle in transaction (aborted)'))
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 2 DESC, 1`)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("count connections: %w", err)
	}
	list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Connections, err error) {
		err = row.Scan(&c.Application, &c.Total, &c.Active, &c.Idle, &c.IdleInTransaction, &c.Other)
		return c, err
	})
	if err != nil {
		return nil, 0, 0, fmt.Errorf("count connections: %w", err)
	}
	err = s.conn.QueryRow(ctx, `SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&open, &most)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("count connections of the server: %w", err)
	}
	return list, open, most, nil
}

// Transaction is one that has been open for long.
type Transaction struct {
	PID         int           `json:"pid"`
	Duration    time.Duration `json:"-"` // since it began
	Seconds     float64       `json:"duration_seconds"`
	State       string        `json:"state"`
	User        string        `json:"user"`
	Application string        `json:"application"`
	Waiting     string        `json:"waiting_for,omitempty"` // for example "Lock: transactionid"
	Query       string        `json:"query"`                 // the statement that runs, or ran last
}

// LongTransactions lists the transactions of the database that have been open for longer than a while, longest first. They
// hold locks, and keep vacuum from removing what was deleted.
func (s *Server) LongTransactions(ctx context.Context, while time.Duration) ([]Transaction, error) {
	rows, err := s.conn.Query(ctx, `SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::float8, coalesce(state, ''),
			coalesce(usename, ''), coalesce(application_name, ''), coalesce(wait_event_type || ': ' || wait_event, ''), coalesce(query, '')
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND clock_timestamp() - xact_start > make_interval(secs => $1::float8) ORDER BY xact_start`, while.Seconds())
	if err != nil {
		return nil, fmt.Errorf("list transactions: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Transaction, err error) {
		err = row.Scan(&t.PID, &t.Seconds, &t.State, &t.User, &t.Application, &t.Waiting, &t.Query)
		t.Duration = time.Duration(t.Seconds * float64(time.Second))
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list transactions: %w", err)
	}
	return list, nil
}
