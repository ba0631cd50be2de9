package cachemw

import (
	"context"
	"fmt"
	"time"
)

// The lock of a refresh is held for twice as long as the answer took last time, within bounds: a gateway that dies with it
// must not keep the others from refreshing for long.
const (
	minLock = time.Second
	maxLock = 10 * time.Second
)

// TryRefresh reports whether this gateway may refresh an entry that can be served meanwhile, so that only one of those that
// share a backend does. Where there is none to share, or it is in trouble, it always may.
func (c *Cache) TryRefresh(ctx context.Context, key Key, e Entry) bool {
	shared, ok := c.backend.(interface {
		TryLock(ctx context.Context, key Key, d time.Duration) (bool, error)
	})
	if !ok {
		return true
	}
	mine, err := shared.TryLock(ctx, key, min(maxLock, max(minLock, 2*e.Cost)))
	if err != nil {
		c.errors.Add(1)
	}
	return mine || err != nil
}

// TryLock takes the lock of a key for so long, and reports false when another gateway holds it.
func (r *Redis) TryLock(ctx context.Context, key Key, d time.Duration) (bool, error) {
	var mine bool
	err := r.breaker.Do(ctx, func(ctx context.Context) (err error) {
		mine, err = r.make(ctx, r.lockKey(key), "1", d, false)
		return err
	})
	if err != nil {
		return false, r.failed("lock", fmt.Errorf("take a lock in redis: %w", err))
	}
	return mine, nil
}

// TryLock takes the lock of a key in L2, if that has any.
func (t *Tiered) TryLock(ctx context.Context, key Key, d time.Duration) (bool, error) {
	l2, ok := t.l2.(interface {
		TryLock(ctx context.Context, key Key, d time.Duration) (bool, error)
	})
	if !ok {
		return true, nil
	}
	return l2.TryLock(ctx, key, d)
}
