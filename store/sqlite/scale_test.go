package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// scale is how many events the benchmark below has: SARK_BENCH_ROWS, which "make bench-store" sets to a million, else few
// enough for "make bench-micro".
func scale(b *testing.B) int {
	b.Helper()
	text := os.Getenv("SARK_BENCH_ROWS")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		b.Fatalf("SARK_BENCH_ROWS is %q, want a number from 1000 on", text)
	}
	return n
}

// BenchmarkScale asks for trails among many events, with a different value each time.
func BenchmarkScale(b *testing.B) {
	rows := scale(b)
	d := open(b, sqlite.Options{Path: filepath.Join(b.TempDir(), "sark.db")})
	ids := make([]string, 200)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	fillScale(b, d, rows, ids)
	for _, q := range []struct {
		name string
		ask  func(i int) store.EventFilter
	}{
		{"server", func(i int) store.EventFilter { return store.EventFilter{Server: ids[i%len(ids)]} }},
		{"user", func(i int) store.EventFilter { return store.EventFilter{UserID: fmt.Sprintf("user-%d", i%2000)} }},
		{"tool", func(i int) store.EventFilter { return store.EventFilter{Tool: fmt.Sprintf("tool-%d", i%1000)} }},
		{"type", func(int) store.EventFilter { return store.EventFilter{EventType: "authorization_denied"} }},
		{"newest", func(int) store.EventFilter { return store.EventFilter{} }},
	} {
		b.Run("trail/"+q.name, func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				f := q.ask(i)
				f.Limit = 100
				began := time.Now()
				if _, err := d.Events(b.Context(), f); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
		})
	}
}

// fillScale stores rows events of 2,000 users, 1,000 tools and the servers with these ids.
func fillScale(b *testing.B, d *sqlite.DB, rows int, ids []string) {
	b.Helper()
	const batch = 5000
	writer := storetest.Event(0).ID
	for at := 0; at < rows; at += batch {
		tuples := make([][]byte, min(batch, rows-at))
		for i := range tuples {
			n := at + i
			e := storetest.Event(n)
			e.UserID, e.ToolName = fmt.Sprintf("user-%d", n%2000), fmt.Sprintf("tool-%d", n%1000)
			e.ServerID, e.WriterID, e.Seq = ids[n%len(ids)], writer, int64(n+1)
			tuples[i] = audit.AppendTuple(nil, &e)
		}
		if err := d.AppendEvents(b.Context(), writer, int64(at), int64(at+len(tuples)), tuples); err != nil {
			b.Fatal(err)
		}
	}
}
