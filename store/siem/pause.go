package siem

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// The pauses between attempts while a receiver is away.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 30 * time.Second
	maxAsked   = 5 * time.Minute // the longest that a receiver may ask us to wait
)

// pause doubles with every failure. The zero pause begins with the first.
type pause struct{ next time.Duration }

// after is how long to wait after an error: half to all of the next pause, so that many gateways do not come back at once, or
// longer when the receiver asks for it.
func (p *pause) after(err error) time.Duration {
	p.next = min(max(2*p.next, firstPause), lastPause)
	wait := p.next/2 + rand.N(p.next/2) //nolint:gosec // jitter is no secret
	var asked *RetryError
	if errors.As(err, &asked) {
		wait = max(wait, min(asked.After, maxAsked))
	}
	return wait
}

// sleep waits; false when ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
