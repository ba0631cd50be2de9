package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/admin"
	"sark/internal/api"
	"sark/store"
	"sark/store/postgres"
	"sark/store/sqlite"
)

// Database is the registry, the API keys and the trail: SQLite in the data directory, or PostgreSQL.
type Database interface {
	api.Registry
	api.EventReader
	api.RollupReader
	store.Sink
	store.InputReader
	store.Keeper
	CreateAPIKey(ctx context.Context, k store.APIKey) error
	APIKeys(ctx context.Context) ([]store.APIKey, error)
	FindAPIKey(ctx context.Context, id string) (store.APIKey, bool, error)
	RevokeAPIKey(ctx context.Context, id string) error
	PendingChanges(ctx context.Context, limit int) ([]store.Change, error)
	AcknowledgeChange(ctx context.Context, id int64) error
	SetForwarded(ctx context.Context, writer uuid.UUID, receivers []store.Receiver) error
	RotateAPIKey(ctx context.Context, id string, next store.APIKey, until time.Time) error
	Ping(ctx context.Context) error
	Close() error
}

// DatabasePath is where the embedded database of a data directory is.
func DatabasePath(dataDir string) string { return filepath.Join(dataDir, "sark.db") }

// OpenDatabase opens the database of a configuration and brings its schema up to date.
func OpenDatabase(ctx context.Context, c *configs.Config, log *zap.Logger, metrics prometheus.Registerer) (Database, error) {
	return openDatabase(ctx, c, log, metrics, false)
}

// openDatabase is OpenDatabase, and may open a database that does not answer yet.
func openDatabase(ctx context.Context, c *configs.Config, log *zap.Logger, metrics prometheus.Registerer, late bool) (Database, error) {
	slow := c.Store.SlowQuery
	if slow == 0 {
		slow = -1 // off: zero would be the default
	}
	if c.Store.URL == "" {
		return sqlite.Open(ctx, sqlite.Options{Path: DatabasePath(c.DataDir), SlowQuery: slow, Log: log, Metrics: metrics})
	}
	o := postgresOptions(c, slow, log, metrics)
	o.Late = late
	return postgres.Open(ctx, o)
}

// postgresOptions maps the seed's pool settings.
func postgresOptions(c *configs.Config, slow time.Duration, log *zap.Logger, metrics prometheus.Registerer) postgres.Options {
	p := c.Store.Postgres
	return postgres.Options{
		URL: c.Store.URL, AuditURL: c.Store.AuditURL, CompressAfter: c.Audit.CompressAfter, PoolSize: p.PoolSize, MaxOverflow: p.MaxOverflow, PoolTimeout: p.PoolTimeout, PoolRecycle: p.PoolRecycle,
		PrePing: p.PoolPrePing, Echo: p.EchoPool, AuditPoolSize: p.AuditPoolSize, SlowQuery: slow, Log: log, Metrics: metrics,
	}
}

func (g *gateway) openStore(ctx context.Context) (err error) {
	g.db, err = openDatabase(ctx, g.c, g.log, g.metrics, true)
	switch {
	case err != nil && g.c.Store.URL != "":
		return fmt.Errorf("store.url: %w", err)
	case err != nil:
		return err
	}
	g.life.onStop("store", func(context.Context) error { return g.db.Close() })
	if pg, ok := g.db.(*postgres.DB); ok && pg.Mode() != "" {
		g.log.Info("the store is PostgreSQL", zap.String("mode", string(pg.Mode())))
	}
	return nil
}

// storeCheck asks how the database is. While it is down, events wait in the spool.
func (g *gateway) storeCheck() admin.Check {
	check := admin.Check{Name: "store", Run: g.db.Ping}
	if pg, ok := g.db.(*postgres.DB); ok {
		check.Mode = func() string { return string(pg.Mode()) }
		check.Pool = func() admin.PoolStats {
			p := g.c.Store.Postgres
			sum := admin.PoolStats{Max: p.PoolSize + p.MaxOverflow + p.AuditPoolSize}
			for _, s := range pg.Stats() {
				sum.Open += s.CheckedOut + s.CheckedIn
				sum.InUse += s.CheckedOut
				sum.Idle += s.CheckedIn
			}
			return sum
		}
	}
	return check
}
