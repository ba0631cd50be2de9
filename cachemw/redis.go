package cachemw

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
)

const (
	defaultLookupTimeout  = 50 * time.Millisecond
	defaultRedisTimeout   = 5 * time.Second
	defaultHealthInterval = 30 * time.Second
	defaultPrefix         = "cache:"
	defaultMaxEntryBytes  = 1 << 20
	// minKeyBytes is the shortest HMAC key.
	minKeyBytes = 32
	// clockSkew is how far into the future an entry may have been stored by another gateway.
	clockSkew = time.Minute
)

// Redis is a Backend on Redis 6 or later, or Valkey, that several gateways share: one server, Sentinel or Cluster. It uses
// SET, GETRANGE, DEL, INFO, PING, PUBLISH and SUBSCRIBE, and no scripts. Entries are under <prefix>response:, generations
// under <prefix>generation:.
//
// Trouble costs a request at most RedisOptions.LookupTimeout, once: then everything but an invalidation returns an error at
// once until a PING in the background is answered.
type Redis struct {
	client      redis.UniversalClient
	codec       codec
	prefix      string
	timeout     time.Duration
	now         func() time.Time
	breaker     *redisguard.Breaker
	incarnation *incarnation
	names       *names
	metrics     *redisMetrics
}

// RedisOptions are the options of NewRedis.
type RedisOptions struct {
	// Client is required and stays the caller's, who closes it after the Redis. It must be made with ContextTimeoutEnabled,
	// else it ignores LookupTimeout while it waits for the server; and a Cluster client must read from masters, else it
	// reads what was invalidated already. NewRedis should be the first to use a Cluster client: it watches only the
	// connections to nodes that the client meets later.
	Client redis.UniversalClient
	// LookupTimeout bounds each operation on the way of a request. Default 50 ms.
	LookupTimeout time.Duration
	// Timeout bounds an invalidation. Default 5 s.
	Timeout time.Duration
	// HealthInterval is the time between two PINGs while all is well. Default 30 s.
	HealthInterval time.Duration
	// Prefix begins every key and the name of the channel. Default "cache:", so that responses are under "cache:response:".
	Prefix string
	// HMACKey signs entries, so that whoever else can write to the server cannot forge one. It does not hide what they say,
	// and does not keep a writer from bringing an old entry back. At least 32 bytes; nil leaves entries unsigned.
	HMACKey []byte
	// Compress makes bodies of 1 KiB and more shorter on the way to the server, and back: it takes time of this process and
	// saves memory and bandwidth of the server. Values are read whether they are compressed or not.
	Compress bool
	// MaxEntryBytes bounds an entry, its headers and signature included; a longer one is not stored, and not read. Default
	// 1 MiB.
	MaxEntryBytes int
	// Registerer receives the metrics; nil leaves them out.
	Registerer prometheus.Registerer
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// NewRedis returns a Redis, which the caller must Close. It does not connect.
func NewRedis(o RedisOptions) (*Redis, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("cachemw: %w", err)
	}
	r := &Redis{
		client:      o.Client,
		codec:       codec{key: o.HMACKey, max: o.MaxEntryBytes, compress: o.Compress},
		prefix:      o.Prefix,
		timeout:     o.Timeout,
		now:         o.Now,
		incarnation: newIncarnation(o.Client),
		names:       newNames(),
	}
	var err error
	r.breaker, err = redisguard.New(redisguard.Options{
		Client: o.Client, Limit: o.LookupTimeout, Health: o.HealthInterval, Meanwhile: "redis is left alone",
		Harmless: func(err error) bool { return errors.Is(err, errContended) },
	})
	if err != nil {
		return nil, fmt.Errorf("cachemw: %w", err)
	}
	if r.metrics, err = newRedisMetrics(o.Registerer, r.breaker); err != nil {
		r.breaker.Close()
		return nil, fmt.Errorf("cachemw: register metrics: %w", err)
	}
	return r, nil
}

// withDefaults fills in what was left out.
func (o RedisOptions) withDefaults() RedisOptions {
	if o.LookupTimeout == 0 {
		o.LookupTimeout = defaultLookupTimeout
	}
	if o.Timeout == 0 {
		o.Timeout = defaultRedisTimeout
	}
	if o.HealthInterval == 0 {
		o.HealthInterval = defaultHealthInterval
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.MaxEntryBytes == 0 {
		o.MaxEntryBytes = defaultMaxEntryBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// check says what is wrong with the options.
func (o RedisOptions) check() error {
	switch {
	case o.Client == nil:
		return errors.New("a Redis needs a Client")
	case o.LookupTimeout < 0 || o.Timeout < 0 || o.HealthInterval < 0:
		return errors.New("the timeouts of a Redis must not be negative")
	case o.MaxEntryBytes < 0 || o.MaxEntryBytes > 512<<20:
		return errors.New("MaxEntryBytes must be between 0 and 512 MiB, the longest value that Redis takes")
	case len(o.HMACKey) > 0 && len(o.HMACKey) < minKeyBytes:
		return fmt.Errorf("HMACKey has %d bytes, needs %d", len(o.HMACKey), minKeyBytes)
	}
	return checkClient(o.Client)
}

// checkClient checks what can be seen of how a client was made, its deadlines apart.
func checkClient(client redis.UniversalClient) error {
	c, cluster := client.(*redis.ClusterClient)
	if cluster && (c.Options().ReadOnly || c.Options().RouteByLatency || c.Options().RouteRandomly) {
		return errors.New("the Cluster client reads from replicas, where invalidations arrive late")
	}
	return nil
}

// Load implements Backend. A value that is not sound is not there, and is counted.
func (r *Redis) Load(ctx context.Context, key Key) (Entry, bool, error) {
	var e Entry
	found := false
	err := r.breaker.Do(ctx, func(ctx context.Context) error {
		s, err := r.read(ctx, r.entryKey(key))
		if err != nil || s.server == "" || !r.servable(s.entry) {
			return err
		}
		now, err := r.records(ctx, s.server)
		e, found = s.entry, now.live() && now.generation == s.entry.Generation
		return err
	})
	if err != nil {
		return Entry{}, false, r.failed("load", fmt.Errorf("load from redis: %w", err))
	}
	if !found {
		return Entry{}, false, nil
	}
	return e, true, nil
}

// read reads a value; without a server when there is none.
func (r *Redis) read(ctx context.Context, name string) (stored, error) {
	// Not GET: the server must not send more than the longest value.
	value, err := r.client.GetRange(ctx, name, 0, int64(r.codec.max)).Bytes()
	if wrongType(err) {
		r.metrics.reject(rejectType)
		return stored{}, nil
	}
	if err != nil || len(value) == 0 {
		return stored{}, err
	}
	s, why := r.codec.decode(name, value)
	if why != "" {
		r.metrics.reject(why)
		return stored{}, nil
	}
	return s, nil
}

// servable reports whether an entry is kept and was not stored in the future.
func (r *Redis) servable(e Entry) bool {
	now := r.now()
	return e.Kept(now) && e.Stored.Before(now.Add(clockSkew))
}

// Save implements Backend. An entry that is too large, or whose generation was never read here, is dropped. The server
// forgets it at the end of its lifetime.
func (r *Redis) Save(ctx context.Context, key Key, e Entry) error {
	server, known := r.names.of(e.Generation)
	left := e.Stored.Add(e.kept()).Sub(r.now())
	if !known || left < time.Millisecond {
		return nil
	}
	name := r.entryKey(key)
	value, ok := r.codec.encode(name, stored{server: server, entry: e})
	if !ok {
		return nil
	}
	err := r.breaker.Do(ctx, func(ctx context.Context) error {
		return r.client.Set(ctx, name, value, left).Err()
	})
	if err != nil {
		return r.failed("save", fmt.Errorf("save to redis: %w", err))
	}
	r.metrics.saved(len(value))
	return nil
}

// Usage implements Backend. The numbers are those of the whole server, see Info; zero when it does not answer in time.
func (r *Redis) Usage() Usage {
	var info RedisInfo
	err := r.breaker.Do(context.Background(), func(ctx context.Context) (err error) {
		info, err = r.Info(ctx)
		return err
	})
	if err != nil {
		_ = r.failed("usage", err)
		return Usage{}
	}
	return Usage{Entries: int(info.Keys), Bytes: info.UsedMemory, Evictions: uint64(max(0, info.Evictions))}
}

// Err returns why requests go without the server at the moment; nil when they do not.
func (r *Redis) Err() error { return r.breaker.Err() }

// Close implements Backend. It does not close the client.
func (r *Redis) Close() error {
	r.breaker.Close()
	return nil
}

// failed counts an error and returns it.
func (r *Redis) failed(operation string, err error) error {
	r.metrics.failed(operation, err)
	return err
}

// entryKey returns the name of an entry.
func (r *Redis) entryKey(key Key) string { return r.prefix + "response:" + hex.EncodeToString(key[:]) }

// generationKey returns the name of a server's generation record.
func (r *Redis) generationKey(server string) string { return r.prefix + "generation:" + server }

// lockKey returns the name of the lock of an entry's refresh.
func (r *Redis) lockKey(key Key) string { return r.prefix + "lock:" + hex.EncodeToString(key[:]) }

// epochKey returns the name of the epoch record.
func (r *Redis) epochKey() string { return r.prefix + "epoch" }

// channel returns the name of the channel on which gateways tell each other about invalidations.
func (r *Redis) channel() string { return r.prefix + "invalidations" }

// wrongType reports whether a key holds something else than text.
func wrongType(err error) bool { return redis.HasErrorPrefix(err, "WRONGTYPE") }
