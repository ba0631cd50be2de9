package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

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

	ensure    migrations.EnsureOptions
	withRoles bool
}

func schemaOf(c *configs.Config) schema {
	if c.Store.URL == "" {
		path := app.DatabasePath(c.DataDir)
		return schema{dialect: migrations.SQLite, address: path, name: path}
	}
	name := "the database of store.url"
	if u, err := url.Parse(c.Store.URL); err == nil {
		name = u.Redacted()
	}
	return schema{
		dialect: migrations.Postgres, address: c.Store.URL, name: name,
		ensure: migrations.EnsureOptions{CompressAfter: c.Audit.CompressAfter}, withRoles: c.Store.Roles,
	}
}

// change is what brings a database up to date, and what of that was done.
type change struct {
	steps []migrations.Step
	trail []string // statements that make the trail what suits the server
	roles []string // statements that make the database roles
}

func (c *change) statements() []string { return append(slices.Clone(c.trail), c.roles...) }

// pending lists what the database lacks. A SQLite file that does not exist lacks all, and is not made.
func (s schema) pending(ctx context.Context) (lacks change, err error) {
	if s.dialect == migrations.SQLite {
		if _, err := os.Stat(s.address); errors.Is(err, fs.ErrNotExist) {
			lacks.steps, err = migrations.Steps(s.dialect)
			return lacks, err
		}
	}
	db, err := migrations.Open(s.dialect, s.address)
	if err != nil {
		return lacks, err
	}
	err = s.compare(ctx, db, &lacks)
	if err := errors.Join(err, db.Close()); err != nil {
		return lacks, s.failure(err)
	}
	return lacks, nil
}

func (s schema) compare(ctx context.Context, db *sql.DB, lacks *change) error {
	all, err := migrations.Status(ctx, db, s.dialect)
	if err != nil {
		return err
	}
	for _, step := range all {
		if !step.Applied {
			lacks.steps = append(lacks.steps, step)
		}
	}
	if s.dialect != migrations.Postgres {
		return nil
	}
	if len(lacks.steps) == 0 {
		if lacks.trail, err = migrations.EnsurePlan(ctx, db, s.ensure); err != nil || !s.withRoles {
			return err
		}
		lacks.roles, err = migrations.RolesPlan(ctx, db)
		return err
	}
	mode, err := migrations.DetectMode(ctx, db) // there may be no tables yet that could be looked at
	if err != nil {
		return err
	}
	return s.all(mode, lacks)
}

// all lists every statement after the numbered steps.
func (s schema) all(mode migrations.Mode, lacks *change) (err error) {
	lacks.trail, err = migrations.EnsureSQL(mode, s.ensure)
	if s.withRoles {
		lacks.roles = migrations.RolesSQL()
	}
	return err
}

// apply brings the database up to date and returns what was done.
func (s schema) apply(ctx context.Context) (done change, err error) {
	if s.dialect == migrations.SQLite {
		done.steps, err = s.applySQLite(ctx)
		return done, err
	}
	db, err := migrations.Open(s.dialect, s.address)
	if err != nil {
		return done, err
	}
	err = s.applyPostgres(ctx, db, &done)
	if err := errors.Join(err, db.Close()); err != nil {
		return done, s.failure(err)
	}
	return done, nil
}

func (s schema) applyPostgres(ctx context.Context, db *sql.DB, done *change) (err error) {
	if done.steps, err = migrations.Up(ctx, db, s.dialect); err != nil {
		return err
	}
	if done.trail, err = migrations.Ensure(ctx, db, s.ensure); err != nil || !s.withRoles {
		return err
	}
	done.roles, err = migrations.EnsureRoles(ctx, db)
	return err
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
	return pending.steps, db.Close()
}

func (s schema) failure(err error) error { return fmt.Errorf("%s: %w", s.name, err) }
