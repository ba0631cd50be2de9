package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sark/store"
	"sark/store/migrations"
)

// DB is an open PostgreSQL store. It is for any number of goroutines.
type DB struct {
	api   *pool
	audit *pool
	timer *store.QueryTimer
	now   func() time.Time
	mode  atomic.Pointer[migrations.Mode] // nil before the database was reached
	late  late
	raw   atomic.Bool // tuples may be copied as they are: the table's column types are ours
}

// Open connects, brings the schema up to date and looks at what the server can do. Gateways that start at once take turns
// with the schema; one that is up to date already needs no right to change it.
func Open(ctx context.Context, o Options) (*DB, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	d := &DB{now: o.Now}
	if d.timer, err = store.NewQueryTimer(o.SlowQuery, o.Log, o.Metrics); err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	if err := d.connect(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open postgres: %w", err), d.Close())
	}
	return d, nil
}

func (d *DB) connect(ctx context.Context, o Options) (err error) {
	if d.api, err = openPool(ctx, o, "api", o.PoolSize, o.MaxOverflow); err != nil {
		return err
	}
	ofAudit := o
	ofAudit.URL = o.AuditURL
	if d.audit, err = openPool(ctx, ofAudit, "audit", o.AuditPoolSize, 0); err != nil {
		return err
	}
	if err := d.registerMetrics(o.Metrics); err != nil {
		return err
	}
	err = d.prepare(ctx, o)
	if err != nil && o.Late && Unreachable(err) {
		d.awaitDatabase(o, err)
		return nil
	}
	return err
}

// prepare brings the schema up to date and looks at what the server can do. That it answers is asked first, in bounded time.
func (d *DB) prepare(ctx context.Context, o Options) error {
	if err := d.reach(ctx); err != nil {
		return err
	}
	mode, err := migrate(ctx, o)
	if err != nil {
		return err
	}
	if err := d.checkEncoding(ctx); err != nil {
		return err
	}
	if _, err := d.checkColumns(ctx); err != nil {
		return err
	}
	d.mode.Store(&mode)
	return nil
}

// migrate applies what the schema lacks and reports how the trail is kept. A login without the right to change the schema is
// fine while nothing is behind. What would lock others out for long is left to sark migrate.
func migrate(ctx context.Context, o Options) (mode migrations.Mode, err error) {
	db, err := migrations.Open(migrations.Postgres, o.URL)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := migrations.Up(ctx, db, migrations.Postgres); err != nil {
		if state(err) == codeNoRight {
			err = fmt.Errorf("the schema is behind this version, and this login may not change it: run sark migrate as the owner: %w", err)
		}
		return "", err
	}
	ensure := migrations.EnsureOptions{CompressAfter: o.CompressAfter}
	plan, err := migrations.EnsurePlan(ctx, db, ensure)
	if err != nil {
		return "", err
	}
	if len(plan) > 0 {
		ensure.Empty = true
		if _, err := migrations.Ensure(ctx, db, ensure); err != nil && state(err) != codeNoRight {
			return "", err
		}
		if plan, err = migrations.EnsurePlan(ctx, db, migrations.EnsureOptions{CompressAfter: o.CompressAfter}); err != nil {
			return "", err
		}
	}
	if len(plan) > 0 {
		o.Log.Warn("the trail is not yet kept as this server could; run sark migrate as the owner of its tables",
			zap.Int("statements", len(plan)))
	}
	return migrations.DetectMode(ctx, db)
}

// Mode is what the server offered when it was first reached, empty before that.
func (d *DB) Mode() migrations.Mode {
	if m := d.mode.Load(); m != nil {
		return *m
	}
	return ""
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	c, err := d.api.acquire(ctx)
	if err != nil {
		return fmt.Errorf("ping postgres: %w", err)
	}
	defer c.Release()
	if err := c.Ping(ctx); err != nil {
		return fmt.Errorf("ping postgres: %w", err)
	}
	return nil
}

// Close closes every connection. Queries that run are waited for.
func (d *DB) Close() error {
	d.late.stop()
	for _, p := range []*pool{d.api, d.audit} {
		if p != nil {
			p.Close()
		}
	}
	return nil
}
