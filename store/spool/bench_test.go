package spool_test

import (
	"testing"

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
