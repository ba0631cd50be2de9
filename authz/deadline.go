package authz

import (
	"context"
	"time"
)

// clockEvery is the number of evaluation steps between two looks at the clock. A step takes about a tenth of a
// microsecond, a look a quarter of one.
const clockEvery = 16

// deadline stops an evaluation when its time is over or its caller has left. The interpreter asks it before every step, so
// no goroutine has to wait for the end of either. It belongs to the one goroutine that evaluates.
type deadline struct {
	until time.Time
	done  <-chan struct{}
	steps uint
	over  bool
}

func newDeadline(ctx context.Context, until time.Time) *deadline {
	return &deadline{until: until, done: ctx.Done()}
}

// Cancel implements topdown.Cancel.
func (d *deadline) Cancel() { d.over = true }

// Cancelled implements topdown.Cancel.
func (d *deadline) Cancelled() bool {
	d.steps++
	if d.over || d.steps%clockEvery != 0 {
		return d.over
	}
	select {
	case <-d.done:
		d.over = true
	default:
		d.over = !time.Now().Before(d.until)
	}
	return d.over
}
