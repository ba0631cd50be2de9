package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// endless is a source that makes its events as they are read.
type endless struct {
	replay
	chain *audit.Chain
	n     int64
	batch [][]byte
}

func (e *endless) Last() int64 { return e.n }

func (e *endless) Read(after int64, limit int) ([][]byte, int64, error) {
	e.batch = e.batch[:0]
	for n := after; n < min(after+int64(limit), e.n); n++ {
		event := storetest.Event(int(n))
		tuple := audit.AppendTuple(nil, &event)
		e.chain.Seal(tuple)
		e.batch = append(e.batch, tuple)
	}
	return e.batch, after + int64(len(e.batch)), nil
}

// fillTrail ships n events of the series.
func fillTrail(tb testing.TB, n int64) *archive {
	tb.Helper()
	a := &archive{dir: tb.TempDir(), writer: storetest.Event(0).ID}
	var err error
	a.key, err = store.OpenDigestKey(filepath.Join(a.dir, "key"))
	check(tb, err)
	db, err := sqlite.Open(tb.Context(), sqlite.Options{Path: a.database(), SlowQuery: -1, Log: zap.NewNop()})
	check(tb, err)
	source := &endless{replay: replay{writer: a.writer}, chain: audit.NewChain(a.writer, 0, audit.GenesisHash(a.writer)), n: n}
	shipper, err := store.NewShipper(store.ShipperOptions{Source: source, Sink: db, DeadDir: a.dir, Key: a.key, Log: zap.NewNop()})
	check(tb, err)
	check(tb, shipper.Flush(tb.Context()))
	check(tb, db.Close())
	return a
}

// verifyLarge verifies a trail of n events, one of them changed, and returns by how much the heap has grown meanwhile.
func verifyLarge(tb testing.TB, n int64) (grown uint64) {
	tb.Helper()
	a := fillTrail(tb, n)
	a.spoil(tb, fmt.Sprintf("UPDATE audit_events SET tool_name = 'x' WHERE seq = %d", n/2))
	var m runtime.MemStats
	var most uint64
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, began := m.HeapAlloc, time.Now()
	v, found := a.verify(tb, func(o *store.VerifyOptions) {
		o.Progress = func(int64, int64) {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	})
	rate := float64(n) / time.Since(began).Seconds()
	expect(tb, []string{fmt.Sprintf("changed %d-%d", n/2, n/2)}, found)
	grown = most - min(most, before)
	tb.Logf("%d events, %.0f a second, heap %d MiB more at most", v.Events, rate, grown>>20)
	return grown
}

func TestVerifyNeedsTheMemoryOfABatch(t *testing.T) {
	if grown := verifyLarge(t, 20_000); grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// BenchmarkVerify verifies a trail of SARK_BENCH_ROWS events, 200,000 unless that is set, once.
func BenchmarkVerify(b *testing.B) {
	rows := int64(200_000)
	if text := os.Getenv("SARK_BENCH_ROWS"); text != "" {
		var err error
		if rows, err = strconv.ParseInt(text, 10, 64); err != nil || rows < 1000 {
			b.Fatalf("SARK_BENCH_ROWS is %q, want a number from 1000 on", text)
		}
	}
	for range b.N {
		b.ReportMetric(float64(verifyLarge(b, rows)>>20), "MiB")
	}
}
