package postgres_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/spool"
	"sark/store/storetest"
)

// house is a spool, a database and a running shipper between them.
type house struct {
	spool   *spool.Spool
	shipper *store.Shipper
	stop    func()
}

// build makes them; a nil key signs nothing.
func build(t *testing.T, sink store.Sink, key *store.DigestKey) *house {
	t.Helper()
	dir := t.TempDir()
	s, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), SegmentBytes: 256 << 10, Log: nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: s, Sink: sink, Batch: 50, Interval: 5 * time.Millisecond, Key: key, DeadDir: filepath.Join(dir, "dead"), Log: nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := shipper.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop := sync.OnceFunc(func() {
		cancel()
		run.Wait()
	})
	t.Cleanup(stop)
	return &house{s, shipper, stop}
}

// record records n events from several goroutines.
func (h *house) record(t *testing.T, from, n int) {
	t.Helper()
	const recorders = 4
	var work sync.WaitGroup
	for r := range recorders {
		work.Go(func() {
			for i := from + r; i < from+n; i += recorders {
				ticket, err := h.spool.Reserve(nil)
				if err != nil {
					t.Error(err)
					return
				}
				e := storetest.Event(i)
				ticket.Record(&e)
			}
		})
	}
	work.Wait()
}

// finish stops the shipper, ships the rest and compares the database with what was acknowledged.
func (h *house) finish(t *testing.T, url string, acknowledged int64) {
	t.Helper()
	h.stop()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := h.shipper.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	sameTrail(t, whole(acknowledged), readTrail(t, connect(t, url), h.spool.Writer()))
}

const perRound = 400

func TestExactlyOnceWhileSessionsAreTerminated(t *testing.T) {
	url := testkit.Postgres(t)
	h := build(t, open(t, postgres.Options{URL: url}), nil)
	killer := connect(t, url)
	const rounds = 12
	for n := range rounds {
		var load sync.WaitGroup
		load.Go(func() { h.record(t, n*perRound, perRound) })
		shipped := h.shipper.Waiting()
		do(t, killer, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'sark audit'`)
		load.Wait()
		until(t, "the shipper is back", func() bool { return h.shipper.Waiting() < max(shipped, perRound) })
	}
	h.finish(t, url, rounds*perRound)
}

func TestExactlyOnceThroughRestarts(t *testing.T) {
	url := testkit.Postgres(t)
	h := build(t, open(t, postgres.Options{URL: url, PrePing: true}), nil)
	modes := []string{"fast", "immediate", "fast"}
	for n, mode := range modes {
		var load sync.WaitGroup
		load.Go(func() { h.record(t, n*perRound, perRound) })
		testkit.RestartPostgres(t, mode)
		load.Wait()
	}
	h.finish(t, url, int64(len(modes)*perRound))
}

// TestExactlyOnceThroughCuts cuts the connection at every third batch's COMMIT, in turn before and after it.
func TestExactlyOnceThroughCuts(t *testing.T) {
	direct := testkit.Postgres(t)
	cutter, url := newCutter(t, direct)
	h := build(t, open(t, postgres.Options{URL: url}), nil)
	const rounds = 8
	for n := range rounds {
		cutter.arm([]cut{lost, silent}[n%2])
		h.record(t, n*perRound, perRound)
		until(t, "the connection was cut", cutter.passed)
	}
	h.finish(t, direct, rounds*perRound)
}
