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
	"sark/store/sqlite"
)

// openStore opens the database of a configuration, which has to exist unless create is true.
func openStore(ctx context.Context, c *configs.Config, create bool) (*sqlite.DB, error) {
	if c.Store.URL != "" {
		return nil, errors.New("store.url is set, and this version keeps events and keys in SQLite in data_dir only; remove store.url")
	}
	path := app.DatabasePath(c.DataDir)
	if err := ready(path, c.DataDir, create); err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, sqlite.Options{Path: path, SlowQuery: -1, Log: zap.NewNop()})
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
func (p *program) withStore(ctx context.Context, create bool, work func(*sqlite.DB, *configs.Config) error) error {
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
