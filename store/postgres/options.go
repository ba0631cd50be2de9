package postgres

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Defaults of Options.
const (
	DefaultPoolSize      = 20
	DefaultAuditPoolSize = 2
	DefaultPoolTimeout   = 30 * time.Second
)

// Options say which database to open and how.
type Options struct {
	// URL is the postgres:// address. Its pool_* parameters are overruled by the fields below; required.
	URL string
	// AuditURL is the address by which events are stored, for a login that may do nothing else (migrations.RoleWriter); empty
	// is URL. It leads to the same database.
	AuditURL string
	// CompressAfter is the age at which chunks are compressed where the server can, see migrations.EnsureOptions.
	CompressAfter time.Duration
	// PoolSize is how many connections are kept open for the API; 0 is DefaultPoolSize.
	PoolSize int
	// MaxOverflow is how many more are opened under load, and closed when they were idle for five minutes.
	MaxOverflow int
	// PoolTimeout is how long a caller waits for a connection before ErrPoolExhausted; 0 is DefaultPoolTimeout.
	PoolTimeout time.Duration
	// PoolRecycle is the age at which a connection is replaced, plus up to a tenth of it at random; 0 is never.
	PoolRecycle time.Duration
	// PrePing tests a connection each time before it is used.
	PrePing bool
	// Echo logs every acquire and release of a connection at debug.
	Echo bool
	// AuditPoolSize is how many further connections only AppendEvents and Offset use; 0 is DefaultAuditPoolSize.
	AuditPoolSize int
	// SlowQuery is the duration from which a query is logged; 0 is store.DefaultSlowQuery, negative never.
	SlowQuery time.Duration
	// Late opens a database that does not answer, too: until it does, and its schema was brought up to date, everything else
	// wraps ErrNotReady. A database that answers and cannot be used is an error all the same.
	Late bool
	// Log is required.
	Log *zap.Logger
	// Metrics registers sark_store_query_duration_seconds and the metrics sark_store_pool_*; nil registers nothing.
	Metrics prometheus.Registerer
	// Now is the clock for created_at and its like; nil is time.Now.
	Now func() time.Time

	tracer pgx.QueryTracer // what a plan test watches the statements with
}

func (o Options) withDefaults() (Options, error) {
	if o.URL == "" || o.Log == nil {
		return o, errors.New("options URL and Log are required")
	}
	if o.AuditURL == "" {
		o.AuditURL = o.URL
	}
	if o.PoolSize == 0 {
		o.PoolSize = DefaultPoolSize
	}
	if o.AuditPoolSize == 0 {
		o.AuditPoolSize = DefaultAuditPoolSize
	}
	if o.PoolTimeout == 0 {
		o.PoolTimeout = DefaultPoolTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	const most = 1 << 16
	if o.PoolSize < 1 || o.MaxOverflow < 0 || o.AuditPoolSize < 1 || max(o.PoolSize, o.MaxOverflow, o.AuditPoolSize) > most {
		return o, fmt.Errorf("option PoolSize %d, MaxOverflow %d or AuditPoolSize %d is out of range", o.PoolSize, o.MaxOverflow, o.AuditPoolSize)
	}
	if o.PoolTimeout < 0 || o.PoolRecycle < 0 {
		return o, fmt.Errorf("option PoolTimeout %v or PoolRecycle %v is out of range", o.PoolTimeout, o.PoolRecycle)
	}
	return o, nil
}
