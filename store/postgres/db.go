package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

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
	if d.audit, err = openPool(ctx, o, "audit", o.AuditPoolSize, 0); err != nil {
		return err
	}
	if err := d.registerMetrics(o.Metrics); err != nil {
		return err
	}
	err = d.prepare(ctx, o.URL)
	if err != nil && o.Late && unreachable(err) {
		d.awaitDatabase(o, err)
		return nil
	}
	return err
}

// prepare brings the schema up to date and looks at what the server can do. That it answers is asked first, in bounded time.
func (d *DB) prepare(ctx context.Context, url string) error {
	if err := d.reach(ctx); err != nil {
		return err
	}
	mode, err := migrate(ctx, url)
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

// migrate applies what the schema lacks and reports what the server can do.
func migrate(ctx context.Context, url string) (migrations.Mode, error) {
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		return "", err
	}
	if _, err := migrations.Up(ctx, db, migrations.Postgres); err != nil {
		return "", errors.Join(err, db.Close())
	}
	mode, err := migrations.DetectMode(ctx, db)
	return mode, errors.Join(err, db.Close())
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
