package testkit

import (
	"sync"
	"testing"
	"time"
)

// Patience bounds every wait of this package. It is far longer than anything
// on loopback takes, so that only a real fault runs into it.
const Patience = 10 * time.Second

// Wait returns the next value from ch, or the zero value when ch is closed. It
// fails the test when nothing happens within the timeout; zero means Patience.
// Call it from the test's own goroutine.
func Wait[T any](t testing.TB, timeout time.Duration, ch <-chan T) T {
	t.Helper()
	if timeout == 0 {
		timeout = Patience
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("nothing arrived on the channel within %s", timeout)
		panic("unreachable")
	}
}

// bell wakes everyone who waits for a change of some state.
type bell struct {
	mu sync.Mutex
	ch chan struct{} // closed by ring, made by next
}

// ring wakes all current waiters.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// next returns a channel that is closed by the next ring. Take it before
// looking at the state, or a change in between is missed.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

// await waits until holds is true, looking again after each ring, and reports
// whether it became so within Patience.
func (b *bell) await(holds func() bool) bool {
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	for {
		changed := b.next()
		if holds() {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return holds()
		}
	}
}
