package limit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

// DefaultMaxKeys is the number of buckets that are kept when Options.MaxKeys is zero.
const DefaultMaxKeys = 65536

// Options says how fast a bucket refills and how many there may be.
type Options struct {
	// Rate is how many calls a key may make in each Per, in the long run. At least 1.
	Rate int
	// Per is the time that Rate refers to. Default one second.
	Per time.Duration
	// Burst is how many calls a rested key may make at once. At least 1; default Rate.
	Burst int
	// MaxKeys is how many busy keys are told apart; default DefaultMaxKeys. A key that has rested long enough to have its
	// full burst again takes no room. Beyond the bound the least indebted of a few buckets is forgotten, so that a flood
	// of keys can give somebody a fresh burst, but can never make the table grow or block a newcomer.
	// The table takes 32 to 64 bytes for each key, all of it at once.
	MaxKeys int
	// Now is the clock whose readings are given to Allow; default time.Now. New reads it once.
	Now func() time.Time
}

// Limiter decides which calls are within the rate. All methods may be called from several goroutines at once, and on a
// nil Limiter, which allows everything, as the zero Limiter does.
type Limiter struct {
	interval int64 // nanoseconds that one call costs: Per / Rate
	window   int64 // nanoseconds that a full burst costs: Burst * interval
	base     time.Time
	seed     maphash.Seed
	table    *table
}

// New returns a Limiter, or an error that says which option is wrong.
func New(o Options) (*Limiter, error) {
	o = withDefaults(o)
	if err := check(o); err != nil {
		return nil, err
	}
	interval := int64(o.Per) / int64(o.Rate)
	return &Limiter{
		interval: interval,
		window:   interval * int64(o.Burst),
		base:     o.Now(),
		seed:     maphash.MakeSeed(),
		table:    newTable(o.MaxKeys),
	}, nil
}

// Allow reports whether a call that spends from key's bucket is within the rate at now, and spends it when it is. When it
// is not, nothing is spent, and retryAfter says how long the caller must wait until one call fits; it is zero when ok.
//
// Calls with the same key share a bucket; two keys share one only if 64 secretly seeded bits of their hashes agree. The key
// is not kept. A clock that steps back delays a key by one burst at most. Allow does not allocate.
func (l *Limiter) Allow(key string, now time.Time) (ok bool, retryAfter time.Duration) {
	if l == nil || l.table == nil {
		return true, 0
	}
	at := int64(now.Sub(l.base))
	return l.table.spend(maphash.String(l.seed, key), at, l.interval, l.window)
}

// withDefaults fills in what the caller left out.
func withDefaults(o Options) Options {
	if o.Per == 0 {
		o.Per = time.Second
	}
	if o.Burst == 0 {
		o.Burst = o.Rate
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = DefaultMaxKeys
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// maxWindow bounds Burst * Per / Rate, so that arithmetic on times cannot overflow.
const maxWindow = 365 * 24 * time.Hour

// maxTableKeys bounds MaxKeys: a table of 2^24 keys takes a gigabyte.
const maxTableKeys = 1 << 24

// check says which option is out of range.
func check(o Options) error {
	switch {
	case o.Rate < 1:
		return fmt.Errorf("limit: Rate is %d, must be at least 1", o.Rate)
	case o.Per < 0:
		return fmt.Errorf("limit: Per is %v, must be positive", o.Per)
	case o.Burst < 1:
		return fmt.Errorf("limit: Burst is %d, must be at least 1", o.Burst)
	case o.MaxKeys < 1 || o.MaxKeys > maxTableKeys:
		return fmt.Errorf("limit: MaxKeys is %d, must be 1 to %d", o.MaxKeys, maxTableKeys)
	case int64(o.Per)/int64(o.Rate) < 1:
		return errors.New("limit: Rate is more than one call per nanosecond")
	case int64(maxWindow)/(int64(o.Per)/int64(o.Rate)) < int64(o.Burst):
		return fmt.Errorf("limit: a burst of %d takes longer than %v to refill", o.Burst, maxWindow)
	}
	return nil
}
