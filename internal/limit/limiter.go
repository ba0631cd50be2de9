package limit

import (
	"errors"
	"fmt"
	"time"
)

// Options says how fast a bucket refills and how many there may be.
type Options struct {
	// Rate is how many calls a key may make in each Per, in the long run. At least 1.
	Rate int
	// Per is the time that Rate refers to. Default one second.
	Per time.Duration
	// Burst is how many calls a rested key may make at once. At least 1; default Rate.
	Burst int
	// MaxKeys is how many busy keys are told apart; see TableOptions.
	MaxKeys int
	// Now is the clock whose readings are given to Allow; default time.Now. New reads it once.
	Now func() time.Time
}

// Limiter limits all keys to one rate. All methods may be called from several goroutines at once, and on a nil Limiter,
// which allows everything, as the zero Limiter does.
type Limiter struct {
	rate  Rate
	table *Table
}

// New returns a Limiter, or an error that says which option is wrong.
func New(o Options) (*Limiter, error) {
	o = withDefaults(o)
	if err := check(o); err != nil {
		return nil, err
	}
	t, err := NewTable(TableOptions{MaxKeys: o.MaxKeys, Now: o.Now})
	if err != nil {
		return nil, err
	}
	return &Limiter{rate: Rate{burst: int64(o.Burst), interval: int64(o.Per) / int64(o.Rate)}, table: t}, nil
}

// Allow reports whether a call that spends from key's bucket is within the rate at now, and spends it when it is. When it
// is not, nothing is spent, and retryAfter says how long the caller must wait until one call fits; it is zero when ok.
// Calls with the same key share a bucket; see Table.Take. Allow does not allocate.
func (l *Limiter) Allow(key string, now time.Time) (ok bool, retryAfter time.Duration) {
	if l == nil || l.table == nil {
		return true, 0
	}
	v := l.table.Take([]Quota{{Key: key, Rate: l.rate}}, now)
	return v.OK, v.Retry
}

// withDefaults fills in what the caller left out.
func withDefaults(o Options) Options {
	if o.Per == 0 {
		o.Per = time.Second
	}
	if o.Burst == 0 {
		o.Burst = o.Rate
	}
	return o
}

// check says which option is out of range.
func check(o Options) error {
	switch {
	case o.Rate < 1:
		return fmt.Errorf("limit: Rate is %d, must be at least 1", o.Rate)
	case o.Per < 0:
		return fmt.Errorf("limit: Per is %v, must be positive", o.Per)
	case o.Burst < 1:
		return fmt.Errorf("limit: Burst is %d, must be at least 1", o.Burst)
	case int64(o.Per)/int64(o.Rate) < 1:
		return errors.New("limit: Rate is more than one call per nanosecond")
	case int64(maxWindow)/(int64(o.Per)/int64(o.Rate)) < int64(o.Burst):
		return fmt.Errorf("limit: a burst of %d takes longer than %v to refill", o.Burst, maxWindow)
	}
	return nil
}
