package watch

import (
	"context"
	"time"
)

// Poll calls look each interval, and changed when what it sees is not what is known. A change counts once two looks in a
// row agree, so that a file that is being written is not taken for a whole one. known is what the caller has read so far;
// changed gets the new state and returns what is known from then on. Poll returns when ctx ends.
func Poll[State comparable](ctx context.Context, interval time.Duration, known State, look func() State, changed func(State) State) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	seen := known
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := look()
		if now == seen && now != known {
			known = changed(now)
		}
		seen = now
	}
}
