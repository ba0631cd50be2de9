package migrations

import (
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"path"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Open returns the database at an address, for Status and Up: the path of a file for SQLite, a postgres:// URL for
// PostgreSQL. Connections are made when they are needed. The caller closes it.
func Open(dialect Dialect, address string) (*sql.DB, error) {
	driver, source := "pgx", address
	if dialect == SQLite {
		u := url.URL{Scheme: "file", Path: address, RawQuery: url.Values{"_pragma": {"busy_timeout(5000)"}}.Encode()}
		driver, source = "sqlite", u.String()
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, fmt.Errorf("open %s for migration: %w", dialect, err)
	}
	return db, nil
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
