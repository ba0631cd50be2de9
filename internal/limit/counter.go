package limit

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
)

// DefaultTimeout bounds one question to Redis when CounterOptions.Timeout is zero.
const DefaultTimeout = 50 * time.Millisecond

// DefaultPrefix begins the names of buckets in Redis when CounterOptions.Prefix is empty.
const DefaultPrefix = "limit:"

// CounterOptions are the options of NewCounter.
type CounterOptions struct {
	// Client is where buckets are shared: one server, Sentinel or Cluster. It stays the caller's, who closes it after the
	// Counter, and must be made with ContextTimeoutEnabled. Nil counts in this process only.
	Client redis.UniversalClient
	// Timeout bounds one question to Redis; default DefaultTimeout.
	Timeout time.Duration
	// Health is the pause between two PINGs while all is well; default that of redisguard.
	Health time.Duration
	// Prefix begins the names of buckets; default DefaultPrefix.
	Prefix string
	// MaxKeys is how many busy buckets are told apart in this process; see TableOptions.
	MaxKeys int
	// Registerer receives the metrics; nil leaves them out.
	Registerer prometheus.Registerer
}

// Counter counts calls against quotas, in the memory of this process and, when it has a Client, in Redis for all gateways.
// All methods but Close may be called from several goroutines at once.
//
// What this process has let through is counted in its memory too. So a caller that this process alone has served too often
// costs Redis nothing, and when Redis is gone nobody has a fresh burst here; the limits are then those of each gateway.
type Counter struct {
	table   *Table
	shared  *shared             // nil without a Client
	breaker *redisguard.Breaker // before shared; nil without a Client
	metrics *metrics
}

// NewCounter returns a Counter, which the caller must Close, or an error that says which option is wrong. It does not
// connect.
func NewCounter(o CounterOptions) (*Counter, error) {
	t, err := NewTable(TableOptions{MaxKeys: o.MaxKeys})
	if err != nil {
		return nil, err
	}
	c := &Counter{table: t}
	if o.Client != nil {
		if c.shared, err = newShared(o); err != nil {
			return nil, err
		}
		c.breaker = c.shared.breaker
	}
	if c.metrics, err = newMetrics(o.Registerer, c); err != nil {
		c.Close()
		return nil, fmt.Errorf("limit: register metrics: %w", err)
	}
	return c, nil
}

// Take spends one call from every quota when each has room for it, and else from none. now is the clock of this process;
// what is shared goes by that of Redis. When Redis cannot be asked in time, this process decides alone. Take allocates
// nothing without a Client. It panics for more than MaxQuotas quotas.
func (c *Counter) Take(ctx context.Context, quotas []Quota, now time.Time) Verdict {
	v := c.take(ctx, quotas, now)
	if !v.OK {
		c.metrics.refused.WithLabelValues(quotas[v.Tightest].Name).Inc()
	}
	return v
}

func (c *Counter) take(ctx context.Context, quotas []Quota, now time.Time) Verdict {
	if c.shared != nil && len(quotas) > 0 {
		if v := c.table.Peek(quotas, now); !v.OK {
			c.metrics.local.Inc()
			return v // this process alone was too much
		}
		v, err := c.shared.take(ctx, quotas)
		if err == nil {
			c.metrics.shared.Inc()
			if v.OK {
				c.table.Take(quotas, now)
			}
			return v
		}
		c.metrics.failed(err)
	}
	c.metrics.local.Inc()
	return c.table.Take(quotas, now)
}

// Err returns why calls are counted without Redis at the moment; nil when they are not, or when there is none.
func (c *Counter) Err() error { return c.breaker.Err() }

// Close ends the PINGs. It does not close the client.
func (c *Counter) Close() { c.breaker.Close() }
