package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// house is a spool, a database and a shipper between them, in one folder.
type house struct {
	spool   *spool.Spool
	db      *sqlite.DB
	shipper *store.Shipper
	dir     string
}

// trouble is a sink that fails before or after its database has committed.
type trouble struct {
	*sqlite.DB
	before, after atomic.Int64 // how many more times
}

var errTrouble = errors.New("connection lost")

func (s *trouble) AppendEvents(ctx context.Context, writer uuid.UUID, after, last int64, tuples [][]byte) error {
	if s.before.Add(-1) >= 0 {
		return errTrouble
	}
	if err := s.DB.AppendEvents(ctx, writer, after, last, tuples); err != nil {
		return err
	}
	if s.after.Add(-1) >= 0 {
		return errTrouble
	}
	return nil
}

func build(t *testing.T, dir string, wrap func(*sqlite.DB) store.Sink) *house {
	t.Helper()
	h := &house{dir: dir}
	var err error
	if h.spool, err = spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), SegmentBytes: 16 << 10, Log: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, h.spool.Close(context.WithoutCancel(t.Context()))) })
	if h.db, err = sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "sark.db"), Log: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, h.db.Close()) })
	h.shipper, err = store.NewShipper(store.ShipperOptions{
		Source: h.spool, Sink: wrap(h.db), Batch: 10, Interval: 5 * time.Millisecond, DeadDir: filepath.Join(dir, "dead"),
		Log: zap.NewNop(),
	})
	check(t, err)
	return h
}

func plain(db *sqlite.DB) store.Sink { return db }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) record(t *testing.T, e audit.Event) {
	t.Helper()
	ticket, err := h.spool.Reserve(nil)
	check(t, err)
	ticket.Record(&e)
}

// rows are the numbers of the events in the database, oldest first.
func (h *house) rows(t *testing.T) []int64 {
	t.Helper()
	var events []audit.Event
	for f := (store.EventFilter{Limit: store.MaxLimit}); ; {
		page, err := h.db.Events(t.Context(), f)
		check(t, err)
		events = append(events, page.Items...)
		if !page.HasMore {
			break
		}
		f.Cursor = page.NextCursor
	}
	seqs := make([]int64, len(events))
	for i, e := range events {
		seqs[len(events)-1-i] = e.Seq
	}
	return seqs
}

// upTo is 1 to n.
func upTo(n int) []int64 {
	seqs := make([]int64, n)
	for i := range seqs {
		seqs[i] = int64(i + 1)
	}
	return seqs
}

func same(t *testing.T, want, got []int64) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers of the stored events (-want +got):\n%s", diff)
	}
}

func TestShipperStoresWhileEventsAreRecorded(t *testing.T) {
	h := build(t, t.TempDir(), plain)
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := h.shipper.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for n := range 300 {
		h.record(t, storetest.Event(n))
	}
	check(t, h.shipper.Flush(t.Context()))
	stop()
	run.Wait()

	same(t, upTo(300), h.rows(t))
	if st := h.spool.Stats(); st.Segments > 2 || h.shipper.Waiting() != 0 || h.shipper.Lag() != 0 {
		t.Errorf("spool %+v, waiting %d, lag %v", st, h.shipper.Waiting(), h.shipper.Lag())
	}
}

func TestShipperRunShipsByItself(t *testing.T) {
	h := build(t, t.TempDir(), plain)
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := h.shipper.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for n := range 25 {
		h.record(t, storetest.Event(n))
	}
	for h.shipper.Waiting() > 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("not shipped")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	run.Wait()
	same(t, upTo(25), h.rows(t))
}

func TestShipperStoresExactlyOnceThroughTrouble(t *testing.T) {
	var sink *trouble
	h := build(t, t.TempDir(), func(db *sqlite.DB) store.Sink {
		sink = &trouble{DB: db}
		return sink
	})
	for n := range 40 {
		h.record(t, storetest.Event(n))
		if n%20 == 10 {
			sink.before.Store(1)
			sink.after.Store(2)
			check(t, h.shipper.Flush(t.Context()))
		}
	}
	check(t, h.shipper.Flush(t.Context()))
	same(t, upTo(40), h.rows(t))
}

func TestShipperSetsBadRowsAside(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	dir := t.TempDir()
	h := build(t, dir, plain)
	twice := storetest.Event(0)
	for n := range 20 {
		h.record(t, storetest.Event(n+1))
		if n == 3 || n == 12 || n == 13 {
			h.record(t, twice) // the first is stored, the others have its key
		}
	}
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: h.spool, Sink: h.db, DeadDir: filepath.Join(dir, "dead"), Log: zap.NewNop(), Metrics: r,
	})
	check(t, err)
	check(t, shipper.Flush(t.Context()))

	if got := len(h.rows(t)); got != 21 {
		t.Errorf("%d rows, want 21", got)
	}
	files, err := filepath.Glob(filepath.Join(dir, "dead", "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, error %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	check(t, err)
	var dead store.DeadEvent
	check(t, json.Unmarshal(b, &dead))
	e, err := audit.DecodeTuple(dead.Tuple)
	check(t, err)
	if e.ID != twice.ID || e.Seq != dead.Seq || dead.Writer != h.spool.Writer() || dead.Error == "" || len(dead.Event) == 0 {
		t.Errorf("set aside: %s", b)
	}
	if n, err := testutil.GatherAndCount(r); err != nil || n != 6 {
		t.Errorf("%d metrics, error %v", n, err)
	}
}

func TestShipperGoesOnAfterRestart(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		h := build(t, dir, plain)
		for n := range 10 {
			h.record(t, storetest.Event(10*round+n))
		}
		if round != 1 { // the second process ends without shipping
			check(t, h.shipper.Flush(t.Context()))
			same(t, upTo(10*(round+1)), h.rows(t))
		}
		check(t, h.spool.Close(t.Context()))
		check(t, h.db.Close())
	}
}

func TestShipperDoesNotTakeNewEventsForOld(t *testing.T) {
	h := build(t, t.TempDir(), plain)
	check(t, h.db.AppendEvents(t.Context(), h.spool.Writer(), 0, 100, nil)) // the sink is ahead: the spool was put back
	check(t, h.shipper.Flush(t.Context()))
	h.record(t, storetest.Event(0))
	check(t, h.shipper.Flush(t.Context()))
	same(t, []int64{102, 101}, h.rows(t)) // the gap event is younger than the sample event
}

// buggy is a sink that panics at first.
type buggy struct {
	*sqlite.DB
	left atomic.Int64 // how many more times
}

func (s *buggy) AppendEvents(ctx context.Context, writer uuid.UUID, after, last int64, tuples [][]byte) error {
	if s.left.Add(-1) >= 0 {
		panic("a row that nobody has thought of")
	}
	return s.DB.AppendEvents(ctx, writer, after, last, tuples)
}

func TestShipperOutlivesPanics(t *testing.T) {
	h := build(t, t.TempDir(), func(db *sqlite.DB) store.Sink {
		s := &buggy{DB: db}
		s.left.Store(2)
		return s
	})
	h.record(t, storetest.Event(1))

	check(t, h.shipper.Flush(t.Context()))

	same(t, []int64{1}, h.rows(t))
}

func TestFlushEndsWithItsContext(t *testing.T) {
	var sink *trouble
	h := build(t, t.TempDir(), func(db *sqlite.DB) store.Sink {
		sink = &trouble{DB: db}
		return sink
	})
	sink.before.Store(1 << 30)
	h.record(t, storetest.Event(0))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.shipper.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if h.shipper.Lag() == 0 || h.shipper.Waiting() != 1 {
		t.Errorf("lag %v, waiting %d", h.shipper.Lag(), h.shipper.Waiting())
	}
}

// TestFlushGivesUpOnASinkThatStaysAway: a gateway ends in time while its database is down, and the events wait.
func TestFlushGivesUpOnASinkThatStaysAway(t *testing.T) {
	h := build(t, t.TempDir(), plain)
	sink := &trouble{DB: h.db}
	sink.before.Store(1 << 30)
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: h.spool, Sink: sink, DeadDir: filepath.Join(h.dir, "dead"), Patience: time.Nanosecond, Log: zap.NewNop(),
	})
	check(t, err)
	h.record(t, storetest.Event(0))

	if err := shipper.Flush(t.Context()); !errors.Is(err, errTrouble) || !strings.Contains(err.Error(), "1 stay in the spool") {
		t.Errorf("error %v, want what stays and why", err)
	}
	check(t, h.shipper.Flush(t.Context()))
	same(t, upTo(1), h.rows(t))
}

// absent is a database that was never reached.
type absent struct{ *sqlite.DB }

func (absent) Offset(context.Context, uuid.UUID) (int64, error) { return 0, errTrouble }

// TestFlushOfNothing: a database that is away has missed nothing while nothing was recorded, and something afterwards.
func TestFlushOfNothing(t *testing.T) {
	h := build(t, t.TempDir(), plain)
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: h.spool, Sink: absent{h.db}, DeadDir: filepath.Join(h.dir, "dead"), Patience: time.Nanosecond, Log: zap.NewNop(),
	})
	check(t, err)

	check(t, shipper.Flush(t.Context()))

	h.record(t, storetest.Event(0))
	if err := shipper.Flush(t.Context()); !errors.Is(err, errTrouble) {
		t.Errorf("error %v", err)
	}
}
