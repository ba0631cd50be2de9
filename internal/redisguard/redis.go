package redisguard

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// DefaultHealth is the pause between two PINGs when Options.Health is zero.
const DefaultHealth = 30 * time.Second

// Options are the options of New.
type Options struct {
	// Client is required, and stays the caller's. It must be made with ContextTimeoutEnabled, else it ignores Limit while it
	// waits for the server.
	Client redis.UniversalClient
	// Limit bounds each operation; required. One that takes more than half of it opens the breaker.
	Limit time.Duration
	// Health is the pause between two PINGs while all is well; default DefaultHealth.
	Health time.Duration
	// Meanwhile says what is done while the server is left alone, for Err, such as "limits are counted in this process alone".
	// Required.
	Meanwhile string
	// Harmless reports errors of operations that are no trouble of the server, beside the replies of one that is well. Nil
	// knows none.
	Harmless func(err error) bool
}

// New returns a closed Breaker for the server, which the caller must Close. It does not connect.
func New(o Options) (*Breaker, error) {
	if o.Client == nil || o.Limit <= 0 || o.Health < 0 || o.Meanwhile == "" {
		return nil, errors.New("redisguard: Options.Client, Meanwhile and a positive Limit are required")
	}
	if !heedsDeadlines(o.Client) {
		return nil, errors.New("the client ignores deadlines: make it with ContextTimeoutEnabled")
	}
	if o.Health == 0 {
		o.Health = DefaultHealth
	}
	return newBreaker(options{
		limit: o.Limit, health: o.Health, meanwhile: o.Meanwhile,
		probe:   func(ctx context.Context) error { return Ping(ctx, o.Client) },
		trouble: func(err error) bool { return trouble(err) && (o.Harmless == nil || !o.Harmless(err)) },
	}), nil
}

// IsOpen reports whether the server is left alone.
func (b *Breaker) IsOpen() bool { return b.open.Load() }

// Trips is how often the server began to be left alone.
func (b *Breaker) Trips() uint64 { return b.trips.Load() }

// Metrics returns collectors of the breaker's state, whose names begin with prefix, such as "sark_limit".
func (b *Breaker) Metrics(prefix string) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: prefix + "_breaker_open", Help: "1 while Redis is left alone because it is slow or gone.",
		}, func() float64 {
			if b.IsOpen() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: prefix + "_breaker_trips_total", Help: "Times that Redis began to be left alone.",
		}, func() float64 { return float64(b.Trips()) }),
	}
}

// heedsDeadlines reports whether a client was made with ContextTimeoutEnabled, as far as can be seen.
func heedsDeadlines(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	}
	return true
}

// Ping asks every master for a sign of life.
func Ping(ctx context.Context, client redis.UniversalClient) error {
	return EachMaster(ctx, client, func(ctx context.Context, c redis.UniversalClient) error { return c.Ping(ctx).Err() })
}

// EachMaster runs f for every master of a cluster, at once, or for the one server.
func EachMaster(ctx context.Context, client redis.UniversalClient, f func(ctx context.Context, c redis.UniversalClient) error) error {
	type cluster interface {
		ForEachMaster(ctx context.Context, fn func(ctx context.Context, c *redis.Client) error) error
	}
	if c, ok := client.(cluster); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return f(ctx, c) })
	}
	return f(ctx, client)
}

// hopeless begin the replies of a server that will not answer the next question either: it is not ready, does not know the
// client, is a replica that must not be written to, or of a Cluster that the client does not know. The connection is
// replaced after most of them, so that asking on would cost a handshake each time.
var hopeless = [...]string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "NOAUTH", "WRONGPASS", "READONLY", "MOVED"}

// trouble reports whether an error means that the server cannot be asked at all. Other replies, such as that memory is full
// or a command not allowed, come from a server that is well.
func trouble(err error) bool {
	for _, prefix := range hopeless {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	var reply redis.Error
	return !errors.As(err, &reply)
}
