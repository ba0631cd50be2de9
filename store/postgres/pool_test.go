package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sark/internal/testkit"
	"sark/store/postgres"
	"sark/store/storetest"
)

// connect opens a connection of the test's own.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return c
}

func do(t testing.TB, c *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := c.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// until waits for a condition that no signal announces.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func TestPoolExhausted(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	url := testkit.Postgres(t)
	d := open(t, postgres.Options{URL: url, PoolSize: 1, PoolTimeout: 300 * time.Millisecond, Metrics: r})
	blocker := connect(t, url)
	do(t, blocker, "BEGIN")
	do(t, blocker, "LOCK TABLE api_keys")
	var held sync.WaitGroup
	held.Go(func() {
		if _, err := d.APIKeys(t.Context()); err != nil {
			t.Errorf("the caller who had the connection: %v", err)
		}
	})
	until(t, "connection in use", func() bool { return d.Stats()[0].CheckedOut == 1 })

	_, err := d.APIKeys(t.Context())
	if !errors.Is(err, postgres.ErrPoolExhausted) {
		t.Errorf("error %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.APIKeys(gone); !errors.Is(err, context.Canceled) || errors.Is(err, postgres.ErrPoolExhausted) {
		t.Errorf("a caller who left: error %v", err)
	}
	writer := storetest.Event(0).ID
	if err := d.AppendEvents(t.Context(), writer, 0, 5, storetest.Sealed(writer, 5)); err != nil {
		t.Errorf("the trail, meanwhile: %v", err)
	}

	want := []postgres.PoolStats{{Name: "api", Size: 1, CheckedOut: 1, Exhausted: 1}, {Name: "audit", Size: 2}}
	if diff := cmp.Diff(want, d.Stats(), cmpopts.IgnoreFields(postgres.PoolStats{}, "CheckedIn")); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
	text := "# HELP sark_store_pool_exhausted_total Callers who got no connection in time.\n" +
		"# TYPE sark_store_pool_exhausted_total counter\n" +
		"sark_store_pool_exhausted_total{pool=\"api\"} 1\nsark_store_pool_exhausted_total{pool=\"audit\"} 0\n"
	if err := testutil.GatherAndCompare(r, strings.NewReader(text), "sark_store_pool_exhausted_total"); err != nil {
		t.Error(err)
	}
	do(t, blocker, "ROLLBACK")
	held.Wait()
}

func TestOverflow(t *testing.T) {
	url := testkit.Postgres(t)
	d := open(t, postgres.Options{URL: url, PoolSize: 1, MaxOverflow: 2})
	blocker := connect(t, url)
	do(t, blocker, "BEGIN")
	do(t, blocker, "LOCK TABLE api_keys")
	var held sync.WaitGroup
	for range 3 {
		held.Go(func() {
			if _, err := d.APIKeys(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "three connections in use", func() bool { return d.Stats()[0].CheckedOut == 3 })
	want := postgres.PoolStats{Name: "api", Size: 1, CheckedOut: 3, Overflow: 2}
	if diff := cmp.Diff(want, d.Stats()[0]); diff != "" {
		t.Errorf("pool (-want +got):\n%s", diff)
	}
	do(t, blocker, "ROLLBACK")
	held.Wait()
}

func TestMetrics(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	d := open(t, postgres.Options{Metrics: r})
	if _, err := d.APIKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"sark_store_query_duration_seconds": 1, "sark_store_pool_size_connections": 2, "sark_store_pool_checked_out_connections": 2,
		"sark_store_pool_overflow_connections": 2, "sark_store_pool_checked_in_connections": 2, "sark_store_pool_exhausted_total": 2,
	} {
		if n, err := testutil.GatherAndCount(r, name); err != nil || n != want {
			t.Errorf("%s: %d series, want %d, error %v", name, n, want, err)
		}
	}
}

func TestLogs(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	d := open(t, postgres.Options{Echo: true, SlowQuery: time.Nanosecond, Log: zap.New(core)})
	logs.TakeAll() // of the start
	if _, err := d.APIKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, e := range logs.FilterMessageSnippet("").All() {
		got[e.Message] = e.Level.String()
	}
	want := map[string]string{"connection acquired": "debug", "connection released": "debug", "slow query": "warn"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
}

// TestPrePingAfterRestart fills the pool, restarts the server and expects that no caller notices.
func TestPrePingAfterRestart(t *testing.T) {
	d := open(t, postgres.Options{PoolSize: 3, PrePing: true})
	until(t, "a full pool", func() bool { return d.Stats()[0].CheckedIn == 3 && d.Stats()[1].CheckedIn == 2 })
	writer := storetest.Event(0).ID
	tuples := storetest.Sealed(writer, 6)
	for n, mode := range []string{"fast", "immediate"} {
		testkit.RestartPostgres(t, mode)
		if _, err := d.APIKeys(t.Context()); err != nil {
			t.Errorf("after a restart (%s): %v", mode, err)
		}
		if err := d.AppendEvents(t.Context(), writer, int64(3*n), int64(3*n+3), tuples[3*n:3*n+3]); err != nil {
			t.Errorf("after a restart (%s): %v", mode, err)
		}
	}
}

func TestOutage(t *testing.T) {
	d := open(t, postgres.Options{PrePing: true})
	start := testkit.StopPostgres(t)
	err := d.Ping(t.Context())
	start()
	if err == nil || errors.Is(err, postgres.ErrPoolExhausted) {
		t.Errorf("while the server is down: error %v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}
