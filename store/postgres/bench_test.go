package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/storetest"
)

// BenchmarkAppendEvents stores batches into the trail with its key and indexes. It reports the rows per second and the
// processor time of this process, the client, for each; the server's is its own.
func BenchmarkAppendEvents(b *testing.B) {
	for _, batch := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			appendBatches(b, open(b, postgres.Options{}), batch)
		})
	}
}

func appendBatches(b *testing.B, d *postgres.DB, batch int) {
	writer := storetest.Event(0).ID
	tuples := storetest.Sealed(writer, batch)
	ids := newIDs(batch)
	rows := int64(0)
	var used time.Duration
	for b.Loop() {
		b.StopTimer()
		renew(tuples, ids)
		b.StartTimer()
		began := processorTime(b)
		if err := d.AppendEvents(b.Context(), writer, rows, rows+int64(batch), tuples); err != nil {
			b.Fatal(err)
		}
		used += processorTime(b) - began
		rows += int64(batch)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(rows), "client-ns/row")
}

// newIDs makes ids that renew replaces tuples' ids with: the key must not repeat.
func newIDs(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = audit.NewID(storetest.Epoch.Add(time.Duration(i) * time.Second))
	}
	return ids
}

// renew gives each tuple an id that was not used before. The id is the first field, after the field count and its length.
func renew(tuples [][]byte, ids []uuid.UUID) {
	fresh := uuid.New()
	for i := range tuples {
		copy(ids[i][10:], fresh[:])
		copy(tuples[i][2+4:], ids[i][:])
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkEvents(b *testing.B) {
	const rows = 100_000
	url := testkit.Postgres(b)
	d := open(b, postgres.Options{URL: url})
	writer := storetest.Event(0).ID
	if err := d.AppendEvents(b.Context(), writer, 0, rows, storetest.Sealed(writer, rows)); err != nil {
		b.Fatal(err)
	}
	do(b, connect(b, url), "ANALYZE") // as autovacuum does after a minute
	for name, f := range filters() {
		b.Run(name, func(b *testing.B) {
			f := f.EventFilter
			f.Limit = 100
			for b.Loop() {
				if _, err := d.Events(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRegistry registers servers and lists them, from several callers at once.
func BenchmarkRegistry(b *testing.B) {
	url := testkit.Postgres(b)
	d := open(b, postgres.Options{URL: url, PoolSize: 8})
	b.Run("create", func(b *testing.B) {
		measure(b, func() error {
			s := store.Server{
				Name: fmt.Sprintf("server-%s", uuid.New()), Transport: "http", Endpoint: "http://127.0.0.1:9000/mcp",
				Tools: []store.Tool{{Name: "one"}, {Name: "two"}}, Tags: []string{"all"},
			}
			return d.CreateServers(b.Context(), &s)
		})
	})
	do(b, connect(b, url), "ANALYZE") // as autovacuum does after a minute
	b.Run("list", func(b *testing.B) {
		measure(b, func() error {
			_, err := d.Servers(b.Context(), store.ServerFilter{Status: []string{"registered"}})
			return err
		})
	})
}

// measure runs work from eight callers and reports the 95th percentile of its durations.
func measure(b *testing.B, work func() error) {
	b.SetParallelism(4)
	var mu sync.Mutex
	var took []time.Duration
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			began := time.Now()
			if err := work(); err != nil {
				b.Error(err)
			}
			mine = append(mine, time.Since(began))
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, mine...)
	})
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
}
