package migrations

import (
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Open returns the database at an address, for Status and Up: the path of a file for SQLite, a postgres:// URL for
// PostgreSQL. Connections are made when they are needed. The caller closes it.
func Open(dialect Dialect, address string) (*sql.DB, error) {
	open := openSQLite
	if dialect == Postgres {
		open = openPostgres
	}
	db, err := open(address)
	if err != nil {
		return nil, fmt.Errorf("open %s for migration: %w", dialect, err)
	}
	return db, nil
}

func openSQLite(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path) // the first part of any other path would be taken for a host
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": {"busy_timeout(5000)"}}.Encode()}
	return sql.Open("sqlite", u.String())
}

// openPostgres also takes a URL with pool_* parameters, which the driver alone would pass on to the server.
func openPostgres(address string) (*sql.DB, error) {
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*c.ConnConfig), nil
}

// Steps lists every step in order, as a database without any of them would show it.
func Steps(dialect Dialect) ([]Step, error) {
	names, err := fs.Glob(files, string(dialect)+"/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	steps := make([]Step, 0, len(names))
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("list migrations: %w", err)
		}
		steps = append(steps, Step{Version: version, Name: path.Base(name)})
	}
	return steps, nil
}
