package store

import (
	"context"
	"math/rand/v2"
	"time"
)

// firstPause is that between the first two attempts while the sink is away.
const firstPause = 100 * time.Millisecond

// backoff is a pause that doubles with every failure, up to longest.
type backoff struct{ next, longest time.Duration }

// reset is called after a success.
func (b *backoff) reset() { b.next = 0 }

// wait pauses for half to all of the next pause, so that many shippers do not come back at once; false when ctx ends.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, firstPause), b.longest)
	timer := time.NewTimer(b.next/2 + rand.N(b.next/2)) //nolint:gosec // jitter is no secret
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
