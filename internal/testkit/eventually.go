package testkit

import (
	"testing"
	"time"
)

// Eventually waits until holds is true of something that gives no signal, such
// as a server of somebody else's, and fails the test when it does not become so
// within Patience. Call it from the test's own goroutine.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", Patience, what)
		}
	}
}
