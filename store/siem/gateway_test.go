package siem_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/siem"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// gateway is a spool with small segments, its database, and the shipper between them.
type gateway struct {
	dir     string
	spool   *spool.Spool
	db      database
	trail   func(context.Context) (siem.Trail, error)
	shipper *store.Shipper
	count   int
}

// database is where the shipper brings events.
type database interface {
	store.Sink
	Close() error
}

// newGateway has an embedded database.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "sark.db")
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return newGatewayOn(t, dir, db, func(ctx context.Context) (siem.Trail, error) { return sqlite.OpenTrail(ctx, path) })
}

// newPostgresGateway has a database of its own on a real server.
func newPostgresGateway(t *testing.T) *gateway {
	t.Helper()
	url := testkit.Postgres(t)
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url, PoolSize: 2, AuditPoolSize: 1, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return newGatewayOn(t, t.TempDir(), db, func(ctx context.Context) (siem.Trail, error) { return postgres.OpenTrail(ctx, url) })
}

func newGatewayOn(t *testing.T, dir string, db database, trail func(context.Context) (siem.Trail, error)) *gateway {
	t.Helper()
	g := &gateway{dir: dir, db: db, trail: trail}
	g.openSpool(t)
	var err error
	g.shipper, err = store.NewShipper(store.ShipperOptions{
		Source: g.spool, Sink: g.db, Batch: 50, DeadDir: filepath.Join(g.dir, "dead"), Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.db.Close(); err != nil {
			t.Error(err)
		}
		if err := g.spool.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *gateway) openSpool(t *testing.T) {
	t.Helper()
	var err error
	g.spool, err = spool.Open(spool.Options{Dir: filepath.Join(g.dir, "spool"), SegmentBytes: 16 << 10, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
}

// record leaves n events in the spool.
func (g *gateway) record(t *testing.T, n int) {
	t.Helper()
	for range n {
		ticket, err := g.spool.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		e := storetest.Event(g.count)
		ticket.Record(&e)
		g.count++
	}
	if err := g.spool.Sync(); err != nil {
		t.Fatal(err)
	}
}

// ship brings all that was recorded into the database, so that the spool drops its segments.
func (g *gateway) ship(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := g.shipper.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// segments is how many segments the spool holds.
func (g *gateway) segments(t *testing.T) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(g.dir, "spool", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// options are those of a lane to a sink.
func (g *gateway) options(sink siem.Sink) siem.Options {
	return siem.Options{
		Name: "test", Sink: sink, Dir: filepath.Join(g.dir, "siem"), Writer: g.spool.Writer(), Spool: g.spool.NewCursor(),
		Last: g.spool.Last, Batch: 20, Interval: time.Millisecond, FromBeginning: true, Log: zap.NewNop(),
		OpenTrail: g.trail,
	}
}

func open(t *testing.T, o siem.Options) *siem.Lane {
	t.Helper()
	l, err := siem.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// flush sends all that was recorded.
func flush(t *testing.T, l *siem.Lane) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// numbers are those from first to last.
func numbers(first, last int64) (list []int64) {
	for n := first; n <= last; n++ {
		list = append(list, n)
	}
	return list
}

// once removes what comes twice, and keeps the order.
func once(list []int64) (out []int64) {
	seen := map[int64]bool{}
	for _, n := range list {
		if !seen[n] {
			out = append(out, n)
		}
		seen[n] = true
	}
	return out
}
