package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/app"
	"sark/store/postgres"
)

// openStore opens the database of a configuration, which has to exist unless create is true.
func openStore(ctx context.Context, c *configs.Config, create bool) (app.Database, error) {
	one := *c // a command needs one connection and reports no slow queries
	one.Store.SlowQuery = 0
	one.Store.Postgres.PoolSize, one.Store.Postgres.MaxOverflow, one.Store.Postgres.AuditPoolSize = 1, 0, 1
	if c.Store.URL == "" {
		if err := ready(app.DatabasePath(c.DataDir), c.DataDir, create); err != nil {
			return nil, err
		}
	}
	db, err := app.OpenDatabase(ctx, &one, zap.NewNop(), nil)
	if c.Store.URL != "" && postgres.Unreachable(err) {
		return nil, fmt.Errorf("the database of store.url does not answer (%w); start it, or correct store.url", err)
	}
	return db, err
}

// ready tells whether a database can be opened, or made.
func ready(path, dataDir string, create bool) error {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		return mayCreate(dataDir, os.Geteuid())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database at %s (data_dir is %s); name the gateway's data directory with --data-dir or --config", path, dataDir)
	}
	if err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	return nil
}

// mayCreate refuses to make a database that the owner of the directory, who runs the gateway, could not open.
func mayCreate(dataDir string, user int) error {
	info, err := os.Stat(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at data_dir: %w", err)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != user {
		return fmt.Errorf("data_dir %s belongs to user id %d, who could not open a database that user id %d makes; run this as its owner",
			dataDir, s.Uid, user)
	}
	return nil
}

// withStore runs work on the database of the configuration.
func (p *program) withStore(ctx context.Context, create bool, work func(app.Database, *configs.Config) error) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, &loaded.Config, create)
	if err != nil {
		return err
	}
	return errors.Join(work(db, &loaded.Config), db.Close())
}
