package limit

import (
	"errors"
	"fmt"
	"time"
)

// maxWindow bounds the time in which a bucket refills, so that arithmetic on times cannot overflow.
const maxWindow = 365 * 24 * time.Hour

// grain is the unit of a Rate: Redis tells the time in microseconds.
const grain = time.Microsecond

// Rate is how fast a bucket refills and how much it holds. The zero Rate sets no limit; others come from NewRate.
type Rate struct {
	burst    int64
	interval int64 // nanoseconds that one call costs
}

// NewRate returns the Rate of count calls in each period and of burst calls at once. Count and burst are at least 1; there
// may be a million calls a second, and a bucket must refill within a year. The cost of a call is rounded up to a
// microsecond.
func NewRate(count int, period time.Duration, burst int) (Rate, error) {
	switch {
	case count < 1:
		return Rate{}, fmt.Errorf("limit: a rate of %d calls, must be at least 1", count)
	case burst < 1:
		return Rate{}, fmt.Errorf("limit: a burst of %d calls, must be at least 1", burst)
	case period < grain:
		return Rate{}, fmt.Errorf("limit: a period of %v, must be at least %v", period, grain)
	case int64(period)/int64(count) < int64(grain):
		return Rate{}, errors.New("limit: a rate of more than one call per microsecond")
	}
	interval := (int64(period)/int64(count) + int64(grain) - 1) / int64(grain) * int64(grain)
	if int64(maxWindow)/interval < int64(burst) {
		return Rate{}, fmt.Errorf("limit: a burst of %d takes longer than %v to refill", burst, maxWindow)
	}
	return Rate{burst: int64(burst), interval: interval}, nil
}

// IsZero reports whether the rate sets no limit.
func (r Rate) IsZero() bool { return r.interval == 0 }

// Burst is how many calls a rested bucket holds.
func (r Rate) Burst() int { return int(r.burst) }

// Window is how long an empty bucket takes to have its full burst again.
func (r Rate) Window() time.Duration { return time.Duration(r.window()) }

// window is Window in nanoseconds.
func (r Rate) window() int64 { return r.burst * r.interval }
