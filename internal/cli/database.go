package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sark/store/indexes"
	"sark/store/migrations"
)

// databaseSchema is the database that a command of the operator works on, which has to exist.
func (p *program) databaseSchema() (schema, error) {
	loaded, err := p.load()
	if err != nil {
		return schema{}, err
	}
	s := schemaOf(&loaded.Config)
	if s.dialect == migrations.SQLite {
		return s, ready(s.address, filepath.Dir(s.address), false)
	}
	return s, nil
}

// withServer runs work on a database that is a server; action is what SQLite cannot do, and why.
func withServer[T interface{ Close() error }](ctx context.Context, p *program, open func(context.Context, string) (T, error),
	action string, work func(T) error,
) error {
	s, err := p.databaseSchema()
	if err != nil {
		return err
	}
	if s.dialect == migrations.SQLite {
		return fmt.Errorf("the database is the SQLite file %s: %s", s.name, action)
	}
	db, err := open(ctx, s.address)
	if err != nil {
		return s.failure(err)
	}
	return errors.Join(work(db), db.Close())
}

// indexer is what both databases can do with their indexes.
type indexer interface {
	Plan(ctx context.Context) ([]indexes.Step, error)
	Lock(ctx context.Context) error
	Run(ctx context.Context, s indexes.Step, telling func(statement string)) error
	Analyze(ctx context.Context, telling func(statement string)) error
	Close() error
}

func openIndexes(ctx context.Context, s schema) (indexer, error) {
	if s.dialect == migrations.SQLite {
		return indexes.OpenSQLite(s.address)
	}
	return indexes.OpenPostgres(ctx, s.address)
}

// sizeText writes a size as people read it.
func sizeText(n int64) string {
	const unit = 1024
	size, units := float64(n), []string{"B", "kB", "MB", "GB"}
	for _, u := range units {
		if size < unit {
			return fmt.Sprintf("%.4g %s", size, u)
		}
		size /= unit
	}
	return fmt.Sprintf("%.4g TB", size)
}

// seconds writes a duration as people read it, in steps of a millisecond.
func seconds(d time.Duration) string { return d.Round(time.Millisecond).String() }
