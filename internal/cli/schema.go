package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/app"
	"sark/store/migrations"
	"sark/store/sqlite"
)

// schema is the database that migrate works on.
type schema struct {
	dialect migrations.Dialect
	address string // a file's path, or a URL with its password
	name    string // for people
}

func schemaOf(c *configs.Config) schema {
	if c.Store.URL == "" {
		path := app.DatabasePath(c.DataDir)
		return schema{migrations.SQLite, path, path}
	}
	name := "the database of store.url"
	if u, err := url.Parse(c.Store.URL); err == nil {
		name = u.Redacted()
	}
	return schema{migrations.Postgres, c.Store.URL, name}
}

// pending lists the steps that the database lacks. A SQLite file that does not exist lacks all, and is not made.
func (s schema) pending(ctx context.Context) ([]migrations.Step, error) {
	if s.dialect == migrations.SQLite {
		if _, err := os.Stat(s.address); errors.Is(err, fs.ErrNotExist) {
			return migrations.Steps(s.dialect)
		}
	}
	db, err := migrations.Open(s.dialect, s.address)
	if err != nil {
		return nil, err
	}
	all, err := migrations.Status(ctx, db, s.dialect)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, s.failure(err)
	}
	var pending []migrations.Step
	for _, step := range all {
		if !step.Applied {
			pending = append(pending, step)
		}
	}
	return pending, nil
}

// apply brings the database up to date and returns the steps that it lacked.
func (s schema) apply(ctx context.Context) ([]migrations.Step, error) {
	if s.dialect == migrations.SQLite {
		return s.applySQLite(ctx)
	}
	db, err := migrations.Open(s.dialect, s.address)
	if err != nil {
		return nil, err
	}
	applied, err := migrations.Up(ctx, db, s.dialect)
	if err := errors.Join(err, db.Close()); err != nil {
		return applied, s.failure(err)
	}
	return applied, nil
}

// applySQLite leaves making and protecting the file to its store, which migrates whatever it opens.
func (s schema) applySQLite(ctx context.Context) ([]migrations.Step, error) {
	pending, err := s.pending(ctx)
	if err != nil {
		return nil, err
	}
	if err := ready(s.address, filepath.Dir(s.address), true); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: s.address, SlowQuery: -1, Log: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	return pending, db.Close()
}

func (s schema) failure(err error) error { return fmt.Errorf("%s: %w", s.name, err) }
