package spool_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"sark/store/spool"
	"sark/store/storetest"
)

func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct {
		name   string
		mode   spool.Mode
		intent bool
	}{{"written", spool.Written, false}, {"written with intent", spool.Written, true}, {"durable", spool.Durable, false}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, spool.Options{Dir: b.TempDir(), Durability: c.mode, MaxBytes: 1 << 40})
			e := storetest.Event(0)
			intent := &e
			if !c.intent {
				intent = nil
			}
			b.ReportAllocs()
			for b.Loop() {
				ticket, err := s.Reserve(intent)
				if err != nil {
					b.Fatal(err)
				}
				ticket.Record(&e)
			}
		})
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	for name, mode := range map[string]spool.Mode{"written": spool.Written, "durable": spool.Durable} {
		b.Run(name, func(b *testing.B) {
			s := open(b, spool.Options{Dir: b.TempDir(), Durability: mode, MaxBytes: 1 << 40})
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				e := storetest.Event(0)
				for pb.Next() {
					ticket, err := s.Reserve(nil)
					if err != nil {
						b.Error(err)
						return
					}
					ticket.Record(&e)
				}
			})
			b.ReportMetric(float64(b.N)/float64(s.Stats().Syncs), "events/sync")
		})
	}
}

// BenchmarkRecordOnSchedule records 2,000 events a second, each at its due time however long those before it take, and
// reports the latency from the due time on. Run it with -benchtime 10000x or more.
func BenchmarkRecordOnSchedule(b *testing.B) {
	for name, mode := range map[string]spool.Mode{"written": spool.Written, "durable": spool.Durable} {
		b.Run(name, func(b *testing.B) {
			s := open(b, spool.Options{Dir: b.TempDir(), Durability: mode, MaxBytes: 1 << 40})
			latencies := make([]time.Duration, b.N)
			due := make(chan int, b.N) // never full: nobody waits for a slow event
			began := time.Now()
			at := func(n int) time.Time { return began.Add(time.Duration(n) * 500 * time.Microsecond) }
			var appenders sync.WaitGroup
			for range 32 {
				appenders.Go(func() {
					e := storetest.Event(0)
					for n := range due {
						ticket, err := s.Reserve(nil)
						if err != nil {
							b.Error(err)
							return
						}
						ticket.Record(&e)
						latencies[n] = time.Since(at(n))
					}
				})
			}
			for n := range b.N {
				time.Sleep(time.Until(at(n)))
				due <- n
			}
			close(due)
			appenders.Wait()
			slices.Sort(latencies)
			b.ReportMetric(float64(latencies[b.N/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(latencies[b.N*99/100].Microseconds()), "p99-us")
		})
	}
}
