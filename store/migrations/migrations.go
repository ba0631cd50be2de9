package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Dialect is the SQL that a database speaks.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// versionTable is where goose keeps which steps were applied.
const versionTable = "sark_migrations"

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// Step is one migration.
type Step struct {
	Version int64
	Name    string // the file's name, for example "00001_registry.sql"
	Applied bool
}

// How often, in seconds, and how many times a process asks for the lock while another one migrates.
const (
	lockPeriod   = 1
	lockAttempts = 300
)

// Up applies every step that db lacks and returns those it applied. Two processes that start at once take turns: on
// PostgreSQL by an advisory lock of the session, on SQLite by the file's own lock. A database that lacks nothing is only
// read, so that a role without rights to change the schema can start on it.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) ([]Step, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	if pending, err := p.HasPending(ctx); err == nil && !pending {
		return nil, nil
	}
	results, err := p.Up(ctx)
	steps := make([]Step, 0, len(results))
	for _, r := range results {
		steps = append(steps, Step{Version: r.Source.Version, Name: path.Base(r.Source.Path), Applied: r.Error == nil})
	}
	if err != nil {
		return steps, fmt.Errorf("migrate %s: %w", dialect, err)
	}
	return steps, nil
}

// Status lists every step and whether db has it, without changing more than goose's own table.
func Status(ctx context.Context, db *sql.DB, dialect Dialect) ([]Step, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	list, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read migration status: %w", err)
	}
	steps := make([]Step, 0, len(list))
	for _, s := range list {
		steps = append(steps, Step{
			Version: s.Source.Version, Name: path.Base(s.Source.Path), Applied: s.State == goose.StateApplied,
		})
	}
	return steps, nil
}

// SQL returns the statements of every step in order, for a dry run and for administrators who apply them by hand.
func SQL(dialect Dialect) (string, error) {
	names, err := fs.Glob(files, string(dialect)+"/*.sql")
	if err != nil || len(names) == 0 {
		return "", errors.Join(fmt.Errorf("no migrations for dialect %q", dialect), err)
	}
	var out strings.Builder
	for _, name := range names {
		body, err := StepSQL(dialect, path.Base(name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "-- %s\n%s\n", path.Base(name), body)
	}
	return out.String(), nil
}

// StepSQL returns the statements of one step, by its file's name.
func StepSQL(dialect Dialect, name string) (string, error) {
	body, err := files.ReadFile(path.Join(string(dialect), name))
	if err != nil {
		return "", fmt.Errorf("read migration: %w", err)
	}
	return upSection(string(body)), nil
}

// upSection keeps what stands between the marks "+goose Up" and "+goose Down", without goose's own marks.
func upSection(body string) string {
	body, _, _ = strings.Cut(body, "-- +goose Down")
	var kept []string
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "-- +goose") {
			kept = append(kept, line)
		}
	}
	return strings.TrimSpace(strings.Join(kept, "")) + "\n"
}

func provider(db *sql.DB, dialect Dialect) (*goose.Provider, error) {
	sub, err := fs.Sub(files, string(dialect))
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithLogger(goose.NopLogger())}
	kind := goose.DialectSQLite3
	if dialect == Postgres {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockAttempts))
		if err != nil {
			return nil, fmt.Errorf("make migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(kind, db, sub, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare migrations for %s: %w", dialect, err)
	}
	return p, nil
}
