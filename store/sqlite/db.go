package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"modernc.org/sqlite"

	"sark/store"
	"sark/store/migrations"
)

// readers is how many connections read at once. They never wait for the writer: SQLite's write-ahead log keeps the state
// that each of them began with.
const readers = 4

// busyTimeout is how long a connection waits for another process that is writing.
const busyTimeout = 5 * time.Second

// Options say which file to open and how.
type Options struct {
	// Path is the database file; it and its folder are made when missing, readable by their owner only.
	Path string
	// SlowQuery is the duration from which a query is logged; 0 is 100 ms, negative never.
	SlowQuery time.Duration
	// Log is required.
	Log *zap.Logger
	// Metrics registers sark_store_query_duration_seconds; nil registers nothing.
	Metrics prometheus.Registerer
	// Now is the clock for created_at and its like; nil is time.Now.
	Now func() time.Time

	driver string // in a plan test, one that watches the statements; empty: SQLite's
}

// DB is an open SQLite store. It is for any number of goroutines.
type DB struct {
	write *sql.DB // one connection: SQLite has one writer
	read  *sql.DB
	timer *store.QueryTimer
	now   func() time.Time

	inserter *inserter // a second connection that writes, used by who holds that of write
	closing  sync.Once // closes the inserter
}

// Open opens the file and brings its schema up to date.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Path == "" || o.Log == nil {
		return nil, errors.New("open sqlite: options Path and Log are required")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	if err := registerFold(); err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	timer, err := store.NewQueryTimer(o.SlowQuery, o.Log, o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	d := &DB{timer: timer, now: o.Now}
	if d.now == nil {
		d.now = time.Now
	}
	if err := d.connect(ctx, orElse(o.driver, "sqlite"), path); err != nil {
		return nil, errors.Join(fmt.Errorf("open sqlite %s: %w", path, err), d.Close())
	}
	return d, nil
}

// create makes the file before SQLite does, which would let others read it. The log beside it inherits its mode.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's path
	if err != nil {
		return err
	}
	return f.Close()
}

func (d *DB) connect(ctx context.Context, driver, path string) (err error) {
	if d.write, err = sql.Open(driver, dsn(path, url.Values{"_txlock": {"immediate"}}, writerPragmas()...)); err != nil {
		return err
	}
	d.write.SetMaxOpenConns(1)
	if _, err := migrations.Up(ctx, d.write, migrations.SQLite); err != nil {
		return err
	}
	if d.inserter, err = openInserter(path); err != nil {
		return err
	}
	if d.read, err = sql.Open(driver, dsn(path, url.Values{}, "query_only(1)")); err != nil {
		return err
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetMaxIdleConns(readers)
	return d.Ping(ctx)
}

// dsn writes the driver's address. The settings are those that were measured: a write-ahead log, synced at checkpoints.
func dsn(path string, query url.Values, pragmas ...string) string {
	query["_pragma"] = append(pragmas, "journal_mode(WAL)", "foreign_keys(1)", "temp_store(memory)", cacheSize,
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}

// cacheSize is that of a connection's pages: 16 MiB.
const cacheSize = "cache_size(-16384)"

// writerPragmas are the settings of connections that write: SQLite syncs the log at checkpoints, which it makes every 16 MiB.
func writerPragmas() []string {
	return []string{"synchronous(NORMAL)", "wal_autocheckpoint(4000)", cacheSize}
}

// Ping reports whether the file can be read.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.read.PingContext(ctx); err != nil {
		return fmt.Errorf("ping sqlite: %w", err)
	}
	return nil
}

// Close closes every connection. Queries that run are waited for.
func (d *DB) Close() error {
	var errs []error
	if d.inserter != nil {
		d.closing.Do(func() { errs = append(errs, d.closeInserter()) })
	}
	for _, db := range []*sql.DB{d.read, d.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// closeInserter takes a last turn of the writers, so that the batch in hand is stored before.
func (d *DB) closeInserter() error {
	turn, err := d.write.Conn(context.Background())
	if err != nil {
		return errors.Join(err, d.inserter.close())
	}
	return errors.Join(d.inserter.close(), turn.Close())
}

// inTx runs work in a transaction of the writer.
func (d *DB) inTx(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// SQLite's result codes, https://www.sqlite.org/rescode.html: the low byte is the kind, the rest says more.
const (
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codePrimaryKey = 1555
	codeUnique     = 2067
)

// code returns SQLite's extended result code, 0 for any other error.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	var r *rawError
	if errors.As(err, &r) {
		return r.code
	}
	return 0
}
