package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"testing"
)

// watch is SQLite's driver, and keeps each statement once, with the arguments of its first call.
type watch struct {
	driver.Driver
	mu   sync.Mutex // guards seen
	seen map[string][]any
}

// watching registers a watch under a name.
func watching(t *testing.T, name string) *watch {
	t.Helper()
	db, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was never opened
	w := &watch{Driver: db.Driver(), seen: make(map[string][]any)}
	sql.Register(name, w)
	return w
}

func (w *watch) add(query string, args []driver.NamedValue) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[query] != nil {
		return
	}
	kept := []any{}
	for _, a := range args {
		kept = append(kept, a.Value)
	}
	w.seen[query] = kept
}

// Open implements driver.Driver.
func (w *watch) Open(name string) (driver.Conn, error) {
	c, err := w.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return watched{c.(connection), w}, nil
}

// connection is what the driver's connections can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
}

type watched struct {
	connection
	watch *watch
}

func (c watched) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.watch.add(query, args)
	return c.connection.QueryContext(ctx, query, args)
}

func (c watched) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.watch.add(query, args)
	return c.connection.ExecContext(ctx, query, args)
}
