package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"sark/cachemw"
	"sark/configs"
	"sark/internal/admin"
)

// keepalive is the pause between two TCP keep-alive probes of redis.socket_keepalive.
const keepalive = 30 * time.Second

// redisClient makes the one client of a shared cache server from the seed's settings. It connects when it is first used.
func redisClient(c configs.Redis) (redis.UniversalClient, error) {
	dialer := &net.Dialer{Timeout: c.SocketConnectTimeout, KeepAlive: -1}
	if c.SocketKeepalive {
		dialer.KeepAlive = keepalive
	}
	retries := -1
	if c.RetryOnTimeout {
		retries = 3
	}
	minIdle := min(c.MinIdle, c.PoolSize)
	if c.Topology == "cluster" {
		o, err := redis.ParseClusterURL(c.URL)
		if err != nil {
			return nil, fmt.Errorf("redis.url: %w", err)
		}
		o.PoolSize, o.MaxActiveConns, o.MinIdleConns = c.PoolSize, c.PoolSize, minIdle
		o.ReadTimeout, o.WriteTimeout, o.DialTimeout = c.SocketTimeout, c.SocketTimeout, c.SocketConnectTimeout
		o.MaxRetries, o.DialerRetries, o.Dialer, o.ContextTimeoutEnabled = retries, 1, dialer.DialContext, true
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("redis.url: %w", err)
	}
	o.PoolSize, o.MaxActiveConns, o.MinIdleConns = c.PoolSize, c.PoolSize, minIdle
	o.ReadTimeout, o.WriteTimeout, o.DialTimeout = c.SocketTimeout, c.SocketTimeout, c.SocketConnectTimeout
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = retries, 1, true
	if o.TLSConfig == nil { // with TLS the client's own dialer does the handshake
		o.Dialer = dialer.DialContext
	}
	return redis.NewClient(o), nil
}

// sharedCache puts the memory of this process in front of a shared cache server.
func (g *gateway) sharedCache(client redis.UniversalClient) (cachemw.Backend, error) {
	l2, err := cachemw.NewRedis(cachemw.RedisOptions{
		Client: client, LookupTimeout: g.c.Cache.LookupTimeout, Timeout: g.c.Redis.SocketTimeout,
		HealthInterval: g.c.Redis.HealthCheckInterval, Registerer: g.metrics,
	})
	if err != nil {
		return nil, err
	}
	l1, err := cachemw.NewMemory(cachemw.MemoryOptions{MaxBytes: int64(g.c.Cache.MaxBytes), Registerer: g.metrics})
	if err != nil {
		return nil, errors.Join(err, l2.Close())
	}
	both, err := cachemw.NewTiered(l1, l2, cachemw.TieredOptions{Bus: l2, Registerer: g.metrics})
	if err != nil {
		return nil, errors.Join(err, l1.Close(), l2.Close())
	}
	return both, nil
}

// redisLogger takes what go-redis, which has one logger for the process, says of single connections. What matters of it is
// in health and metrics.
type redisLogger struct{ log *zap.Logger }

// Printf implements the logger of go-redis.
func (l redisLogger) Printf(_ context.Context, format string, args ...any) {
	l.log.Debug("redis client", zap.String("fault", fmt.Sprintf(format, args...)))
}

// redisPool is the use of the client's connections.
func (g *gateway) redisPool() admin.PoolStats {
	s := g.redis.PoolStats()
	open, idle := int(s.TotalConns), int(s.IdleConns)
	return admin.PoolStats{Open: open, InUse: open - idle, Idle: idle, Max: g.c.Redis.PoolSize}
}
