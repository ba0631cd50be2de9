package indexes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/store/postgres"
)

// applyLock is the advisory lock under which one process at a time builds indexes: "sidx" in ASCII.
const applyLock = 0x73696478

// closeTimeout is how long Close waits for the server.
const closeTimeout = 5 * time.Second

// Postgres are the indexes of a PostgreSQL database, over one connection. It is for one goroutine.
type Postgres struct {
	conn   *pgx.Conn
	locked bool
}

// OpenPostgres connects to the database at a postgres:// URL. It changes nothing in it.
func OpenPostgres(ctx context.Context, url string) (*Postgres, error) {
	c, err := postgres.Connect(ctx, url, "indexes")
	if err != nil {
		return nil, fmt.Errorf("open indexes: %w", err)
	}
	return &Postgres{conn: c}, nil
}

// Close ends the connection, and with it a build that is under way. The lock is given back before: a server may notice only
// later that a connection has ended, when the next process has asked for the lock already.
func (p *Postgres) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if p.locked && !p.conn.IsClosed() {
		_, _ = p.conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, applyLock) // else it goes with the connection
	}
	return p.conn.Close(ctx)
}

// Plan says of every index how it stands and what it needs, without changing anything.
func (p *Postgres) Plan(ctx context.Context) ([]Step, error) {
	found := make(map[string]table)
	var steps []Step
	for _, x := range All() {
		t, ok := found[x.Table]
		if !ok {
			var err error
			if t, err = p.table(ctx, x.Table); err != nil {
				return nil, fmt.Errorf("look at the indexes: %w", err)
			}
			found[x.Table] = t
		}
		step, err := p.plan(ctx, t, x)
		if err != nil {
			return nil, fmt.Errorf("look at index %s: %w", x.Name, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// Lock makes sure that no other process builds indexes until Close. A build that takes long must not be begun twice: the
// second would drop what the first has not finished.
func (p *Postgres) Lock(ctx context.Context) error {
	var got bool
	if err := p.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, applyLock).Scan(&got); err != nil {
		return fmt.Errorf("lock the indexes: %w", err)
	}
	if !got {
		return errors.New("another process is building indexes in this database; wait for it to end")
	}
	p.locked = true
	// A time limit that is right for queries would end a build, and leave an invalid index.
	if _, err := p.conn.Exec(ctx, `SET statement_timeout = 0`); err != nil {
		return fmt.Errorf("lift the statement timeout: %w", err)
	}
	return nil
}

// Run executes a step's statements, each announced before by telling, and checks that the index is valid then. Its error is
// an *Error.
func (p *Postgres) Run(ctx context.Context, s Step, telling func(statement string)) error {
	if s.Trouble != "" {
		return &Error{Index: s.Index.Name, Cause: fmt.Errorf("it is %s", s.State), Fix: s.Trouble}
	}
	for _, statement := range s.Statements {
		telling(statement)
		if _, err := p.conn.Exec(ctx, statement); err != nil {
			return &Error{Index: s.Index.Name, Cause: fmt.Errorf("%s: %w", statement, err), Fix: fix(err)}
		}
	}
	t, err := p.table(ctx, s.Index.Table)
	if err != nil {
		return &Error{Index: s.Index.Name, Cause: err, Fix: fix(err)}
	}
	after, err := p.plan(ctx, t, s.Index)
	if err != nil {
		return &Error{Index: s.Index.Name, Cause: err, Fix: fix(err)}
	}
	if after.State != Present {
		return &Error{Index: s.Index.Name, Cause: fmt.Errorf("it is %s after it was built", after.State), Fix: again}
	}
	return nil
}

// Analyze brings the planner's statistics of every table with an index of ours up to date.
func (p *Postgres) Analyze(ctx context.Context, telling func(statement string)) error {
	for _, name := range tables() {
		statement := "ANALYZE " + name
		telling(statement)
		if _, err := p.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
