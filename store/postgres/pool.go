package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrPoolExhausted says that every connection was in use for the whole of Options.PoolTimeout: the caller should be told to
// come back later.
var ErrPoolExhausted = errors.New("connection pool is exhausted")

// What no setting says of the pools.
const (
	overflowIdle   = 5 * time.Minute  // how long a connection beyond the kept ones stays idle before it is closed
	spare          = 2                // connections opened ahead of need, within the cap
	healthPeriod   = 30 * time.Second // between two looks at idle connections
	pingTimeout    = 2 * time.Second
	connectTimeout = 5 * time.Second            // unless the URL has connect_timeout
	neverRecycled  = 100 * 365 * 24 * time.Hour // a lifetime of zero would mean: at once
	jitterShare    = 10                         // of the lifetime, so that not all are replaced at once
)

// pool is a pgxpool with the seed's semantics: a kept size, an overflow, a bounded wait.
type pool struct {
	*pgxpool.Pool
	name      string // "api" or "audit"
	size      int    // kept open; what is beyond is overflow
	timeout   time.Duration
	exhausted atomic.Int64
	gate      atomic.Pointer[error] // why nobody is let in yet, see ErrNotReady
}

// CheckURL tells what is wrong with an address, and with the files that it names, without dialling it. A password is not shown.
func CheckURL(url string) error {
	_, err := poolConfig(Options{URL: url}, "api", 1, 0)
	if err != nil && strings.Contains(err.Error(), "sslmode is invalid") { // pgx has no type for it
		return fmt.Errorf("%w: sslmode is disable, allow, prefer, require, verify-ca or verify-full", err)
	}
	return err
}

// poolConfig maps the settings onto pgxpool, which knows no overflow: its cap is size plus overflow, and what is idle
// beyond its minimum is closed in time.
func poolConfig(o Options, name string, size, overflow int) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, err
	}
	if c.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("default_query_exec_mode=simple_protocol cannot read events; behind a connection pooler use exec")
	}
	c.MaxConns = int32(size + overflow) //nolint:gosec // bounded by Options
	c.MinConns = int32(size)            //nolint:gosec // bounded by Options
	c.MinIdleConns = min(spare, c.MaxConns)
	c.MaxConnIdleTime = overflowIdle
	c.MaxConnLifetime, c.MaxConnLifetimeJitter = neverRecycled, 0
	if o.PoolRecycle > 0 {
		c.MaxConnLifetime, c.MaxConnLifetimeJitter = o.PoolRecycle, o.PoolRecycle/jitterShare
	}
	c.HealthCheckPeriod = healthPeriod
	c.PingTimeout = pingTimeout
	c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return o.PrePing }
	c.AfterConnect = prepare
	if c.ConnConfig.ConnectTimeout <= 0 {
		c.ConnConfig.ConnectTimeout = connectTimeout
	}
	if params := c.ConnConfig.RuntimeParams; params["application_name"] == "" {
		params["application_name"] = "sark " + name // for pg_stat_activity
	}
	if o.Echo {
		c.ConnConfig.Tracer = echo{o.Log, name}
	}
	if o.tracer != nil {
		c.ConnConfig.Tracer = o.tracer
	}
	return c, nil
}

// prepare makes a new connection read times as UTC, whatever the process's time zone is.
func prepare(_ context.Context, c *pgx.Conn) error {
	c.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

// openPool makes a pool; it connects in the background.
func openPool(ctx context.Context, o Options, name string, size, overflow int) (*pool, error) {
	c, err := poolConfig(o, name, size, overflow)
	if err != nil {
		return nil, err
	}
	p, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	return &pool{Pool: p, name: name, size: size, timeout: o.PoolTimeout}, nil
}

// acquire waits for a connection, at most for the pool's timeout, which bounds nothing else of the query. It wraps
// ErrPoolExhausted and ErrNotReady.
func (p *pool) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if why := p.gate.Load(); why != nil {
		return nil, *why
	}
	return p.acquireAny(ctx)
}

// acquireAny is acquire for who looks whether the database is ready.
func (p *pool) acquireAny(ctx context.Context) (*pgxpool.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	c, err := p.Acquire(bounded)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil || bounded.Err() == nil:
		return nil, fmt.Errorf("acquire connection: %w", err)
	}
	if s := p.Stat(); s.AcquiredConns() < s.MaxConns() {
		return nil, fmt.Errorf("acquire connection: no answer from the database within %v: %w", p.timeout, err)
	}
	p.exhausted.Add(1)
	return nil, fmt.Errorf("%w: all %d connections of pool %s were in use for %v", ErrPoolExhausted, p.Config().MaxConns, p.name, p.timeout)
}
