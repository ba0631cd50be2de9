package proxy

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestGate fills a gate: those who come beyond it get in by their turn as others leave, are turned away when nobody leaves in
// time, and at once when as many wait already.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, wait = 2, time.Second
		var g gate
		for range limit {
			if !g.enter(limit, wait) {
				t.Fatal("a gate with room admits nobody")
			}
		}
		came := make(chan int, 2)
		for n := range 2 {
			go func() {
				if g.enter(limit, wait) {
					came <- n
				}
			}()
			synctest.Wait() // one behind the other
		}
		begun := time.Now()
		if g.enter(limit, wait) || time.Since(begun) != 0 {
			t.Error("a third one waits where two may")
		}
		for n := range 2 {
			g.leave(limit)
			if got := <-came; got != n {
				t.Errorf("number %d came in as number %d", got, n)
			}
		}
		begun = time.Now()
		if g.enter(limit, wait) || time.Since(begun) != wait {
			t.Errorf("turned away after %v", time.Since(begun))
		}
		g.leave(limit)
		g.leave(limit)
		if g.admitted.Load() != 0 || g.waiting.Load() != 0 || g.queue.Len() != 0 {
			t.Error("somebody is left behind")
		}
	})
}

// TestGateUnderLoad lets many through a narrow gate: never more at once than it admits, nobody is forgotten in the queue, and
// nobody is counted who has left.
func TestGateUnderLoad(t *testing.T) {
	const limit, callers, rounds = 3, 4, 2000 // so that one waits most of the time
	var g gate
	var inside, most atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range rounds {
				if !g.enter(limit, time.Minute) {
					t.Error("turned away, or forgotten")
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				inside.Add(-1)
				g.leave(limit)
			}
		})
	}
	group.Wait()
	if most.Load() > limit || g.admitted.Load() != 0 || g.waiting.Load() != 0 || g.queue.Len() != 0 {
		t.Errorf("%d at once where %d may; %d are in and %d wait when all have left", most.Load(), limit, g.admitted.Load(), g.waiting.Load())
	}
}
