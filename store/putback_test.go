package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
	"sark/store/spool"
	"sark/store/sqlite"
)

// requests are the request ids of all stored events that are no gap events, with how often each is there.
func requests(t *testing.T, a *archive) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, tuple := range a.tuples(t) {
		e, err := audit.DecodeTuple(tuple)
		check(t, err)
		if e.EventType != spool.GapEvent {
			counts[e.RequestID]++
		}
	}
	return counts
}

func requestsOf(events []audit.Event) map[string]int {
	counts := map[string]int{}
	for _, e := range events {
		counts[e.RequestID]++
	}
	return counts
}

// TestPutBackSpoolLosesNothing records with an older copy of the spool before the shipper has asked the database: fewer, as
// many and more events than were stored meanwhile. Every event of both histories is stored, once.
func TestPutBackSpoolLosesNothing(t *testing.T) {
	for name, fresh := range map[string]int{"fewer": 4, "as many": 8, "more": 20} {
		t.Run(name, func(t *testing.T) {
			a := emptyArchive(t)
			a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(0, 7)...) })
			folder, older := filepath.Join(a.dir, "spool"), filepath.Join(t.TempDir(), "spool")
			check(t, os.CopyFS(older, os.DirFS(folder)))
			a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(7, 15)...) })
			check(t, os.RemoveAll(folder))
			check(t, os.CopyFS(folder, os.DirFS(older)))
			a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(100, 100+fresh)...) })
			a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(200, 203)...) })

			want := requestsOf(append(append(series(0, 15), series(100, 100+fresh)...), series(200, 203)...))
			if diff := cmp.Diff(want, requests(t, a)); diff != "" {
				t.Errorf("stored events (-want +got):\n%s", diff)
			}
			v, found := a.verify(t)
			if v.Findings != 0 || v.Gaps == 0 {
				t.Errorf("verified %+v: %q", v, found)
			}
		})
	}
}

// TestCopyOfASpoolInUse ships from a spool and from a copy of it in turns, as two gateways do whose volume was cloned: the
// one that finds the other's events goes on behind them.
func TestCopyOfASpoolInUse(t *testing.T) {
	a := emptyArchive(t)
	a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(0, 3)...) })
	clone := &archive{dir: t.TempDir(), key: a.key}
	check(t, os.CopyFS(filepath.Join(clone.dir, "spool"), os.DirFS(filepath.Join(a.dir, "spool"))))

	one, two := a.open(t, a.database()), clone.open(t, a.database())
	for round := range 3 {
		recordAll(t, one.spool, series(100+10*round, 102+10*round)...)
		recordAll(t, two.spool, series(200+10*round, 202+10*round)...) // the same numbers
		check(t, one.shipper.Flush(t.Context()))
		check(t, two.shipper.Flush(t.Context()))
	}
	one.close(t)
	two.close(t)

	want := requestsOf(series(0, 3))
	for round := range 3 {
		for _, base := range []int{100, 200} {
			for id := range requestsOf(series(base+10*round, base+2+10*round)) {
				want[id] = 1
			}
		}
	}
	if diff := cmp.Diff(want, requests(t, a)); diff != "" {
		t.Errorf("stored events (-want +got):\n%s", diff)
	}
	if v, found := a.verify(t); v.Findings != 0 {
		t.Errorf("verified %+v: %q", v, found)
	}
}

// lateSink loses the connection in the COMMIT of its first batch, which is done only when the next one is about to begin.
type lateSink struct {
	*sqlite.DB
	held *store.Batch
	lost func() // called when the connection is lost; nil afterwards
}

// AppendBatch implements store.DigestSink.
func (s *lateSink) AppendBatch(ctx context.Context, b store.Batch) error {
	if s.lost != nil {
		b.Tuples = slices.Clone(b.Tuples)
		for i := range b.Tuples {
			b.Tuples[i] = slices.Clone(b.Tuples[i])
		}
		s.held = &b
		s.lost()
		s.lost = nil
		return errTrouble
	}
	if held := s.held; held != nil {
		s.held = nil
		if err := s.DB.AppendBatch(ctx, *held); err != nil {
			return err
		}
	}
	return s.DB.AppendBatch(ctx, b)
}

// TestBatchThatArrivesLateIsOurs records more between a batch whose connection is lost in its COMMIT and the next attempt,
// which then finds that it is fenced off: that is nobody else, in this process or in the one after it.
func TestBatchThatArrivesLateIsOurs(t *testing.T) {
	for name, restart := range map[string]bool{"same process": false, "next process": true} {
		t.Run(name, func(t *testing.T) {
			a := emptyArchive(t)
			l := a.open(t, a.database())
			ended, end := context.WithCancel(t.Context())
			sink := &lateSink{DB: l.db, lost: end}
			through := func() *store.Shipper {
				s, err := store.NewShipper(store.ShipperOptions{
					Source: l.spool, Sink: sink, Batch: 10, DeadDir: filepath.Join(a.dir, "dead"), Key: a.key, Log: zap.NewNop(),
				})
				check(t, err)
				return s
			}
			recordAll(t, l.spool, series(0, 4)...)
			s := through()
			if err := s.Flush(ended); !errors.Is(err, errTrouble) {
				t.Fatalf("the first batch: %v", err)
			}
			if restart {
				check(t, l.spool.Close(t.Context()))
				again, err := spool.Open(spool.Options{Dir: filepath.Join(a.dir, "spool"), Log: zap.NewNop()})
				check(t, err)
				l.spool = again
				s = through()
			}
			recordAll(t, l.spool, series(4, 7)...)
			check(t, s.Flush(t.Context()))
			a.writer = l.spool.Writer()
			l.close(t)

			if diff := cmp.Diff(requestsOf(series(0, 7)), requests(t, a)); diff != "" {
				t.Errorf("stored events (-want +got):\n%s", diff)
			}
			if v, found := a.verify(t); v.Findings != 0 || v.Gaps != 0 || v.Events != 7 {
				t.Errorf("verified %+v: %q", v, found)
			}
		})
	}
}

// line is an open spool with its way to a database.
type line struct {
	spool   *spool.Spool
	db      *sqlite.DB
	shipper *store.Shipper
}

func (l *line) close(t *testing.T) {
	t.Helper()
	check(t, l.db.Close())
	check(t, l.spool.Close(t.Context()))
}
