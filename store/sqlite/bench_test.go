package sqlite_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// BenchmarkAppendEvents stores batches of events as a gateway records them, and reports the CPU time of a row: ids by time, a
// few servers, tools and users.
func BenchmarkAppendEvents(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := open(b, sqlite.Options{Path: filepath.Join(b.TempDir(), "sark.db")})
			writer := storetest.Event(0).ID
			chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
			tuples := make([][]byte, n)
			var seq int64
			var cpu time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				fillTuples(b, tuples, chain)
				b.StartTimer()
				began := cpuTime(b)
				if err := d.AppendEvents(b.Context(), writer, seq, seq+int64(n), tuples); err != nil {
					b.Fatal(err)
				}
				cpu += cpuTime(b) - began
				seq += int64(n)
			}
			rows := float64(seq)
			b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(cpu.Microseconds())/rows, "CPU-µs/row")
		})
	}
}

// fillTuples makes the next events of a chain.
func fillTuples(b *testing.B, tuples [][]byte, chain *audit.Chain) {
	b.Helper()
	for i := range tuples {
		n := int(chain.Seq())
		e := storetest.Event(n)
		id, err := uuid.NewV7()
		if err != nil {
			b.Fatal(err)
		}
		e.ID, e.Time = id, time.Unix(id.Time().UnixTime()).UTC().Truncate(time.Microsecond)
		tuples[i] = audit.AppendTuple(tuples[i][:0], &e)
		chain.Seal(tuples[i])
	}
}

// cpuTime is what this process has used so far, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
