package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"sark/cachemw"
	"sark/configs"
	"sark/internal/admin"
	"sark/internal/certs"
)

// keepalive is the pause between two TCP keep-alive probes of redis.socket_keepalive.
const keepalive = 30 * time.Second

// errSentinel means that an address does not lead to the master that Sentinels watch.
var errSentinel = errors.New("with topology sentinel the address needs ?master_name=NAME, and no routing to replicas")

// redisClient makes the client of a Redis server, Cluster, or Sentinel's master from the seed's settings. own is what
// redis.tls names, nil for nothing. It connects when it is first used.
func redisClient(c configs.Redis, own *certs.Store) (redis.UniversalClient, error) {
	retries := -1
	if c.RetryOnTimeout {
		retries = 3
	}
	minIdle := min(c.MinIdle, c.PoolSize)
	switch c.Topology {
	case "sentinel":
		o, err := redis.ParseFailoverURL(c.URL)
		if err != nil {
			return nil, fmt.Errorf("read the address: %w", err)
		}
		if o.MasterName == "" || o.RouteByLatency || o.RouteRandomly || o.ReplicaOnly {
			return nil, errSentinel
		}
		o.PoolSize, o.MaxActiveConns, o.MinIdleConns = c.PoolSize, c.PoolSize, minIdle
		o.ReadTimeout, o.WriteTimeout, o.DialTimeout = c.SocketTimeout, c.SocketTimeout, c.SocketConnectTimeout
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = retries, 1, true
		o.Dialer = redisDialer(c, o.TLSConfig, own)
		return redis.NewFailoverClient(o), nil
	case "cluster":
		o, err := redis.ParseClusterURL(c.URL)
		if err != nil {
			return nil, fmt.Errorf("read the address: %w", err)
		}
		o.PoolSize, o.MaxActiveConns, o.MinIdleConns = c.PoolSize, c.PoolSize, minIdle
		o.ReadTimeout, o.WriteTimeout, o.DialTimeout = c.SocketTimeout, c.SocketTimeout, c.SocketConnectTimeout
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = retries, 1, true
		o.Dialer = redisDialer(c, o.TLSConfig, own)
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("read the address: %w", err)
	}
	o.PoolSize, o.MaxActiveConns, o.MinIdleConns = c.PoolSize, c.PoolSize, minIdle
	o.ReadTimeout, o.WriteTimeout, o.DialTimeout = c.SocketTimeout, c.SocketTimeout, c.SocketConnectTimeout
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = retries, 1, true
	o.Dialer = redisDialer(c, o.TLSConfig, own)
	return redis.NewClient(o), nil
}

// dialer makes a connection, as go-redis wants it.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// redisDialer makes the connections to Redis, with TLS where the address has the scheme rediss: asked is what follows from
// the address then, and nil else. The client's own dialer would pay no heed to redis.socket_keepalive, nor, during a
// handshake, to the deadline of whoever waits; and with a dialer of ours the client does no handshake itself.
func redisDialer(c configs.Redis, asked *tls.Config, own *certs.Store) dialer {
	plain := &net.Dialer{Timeout: c.SocketConnectTimeout, KeepAlive: -1}
	if c.SocketKeepalive {
		plain.KeepAlive = keepalive
	}
	if asked == nil {
		return plain.DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		secure := &tls.Dialer{NetDialer: plain, Config: redisTLS(asked, c.TLS.ServerName, own)}
		return secure.DialContext(ctx, network, address)
	}
}

// redisTLS is the configuration of the next connection: what the address asks for, with the files that are in force.
func redisTLS(asked *tls.Config, serverName string, own *certs.Store) *tls.Config {
	t := asked.Clone()
	t.MinVersion = tls.VersionTLS12
	t.ServerName = cmp.Or(serverName, t.ServerName)
	if own == nil {
		return t
	}
	m := own.Current()
	t.RootCAs = m.Authorities
	if m.Certificate != nil {
		t.Certificates = []tls.Certificate{*m.Certificate}
	}
	return t
}

// redisCertificates reads what redis.tls names; nil when it names no file.
func redisCertificates(t configs.RedisTLS, open func(key, cert, private, authorities string) (*certs.Store, error)) (*certs.Store, error) {
	if t.CAFile == "" && t.CertFile == "" {
		return nil, nil
	}
	return open("redis.tls", t.CertFile, t.KeyFile, t.CAFile)
}

// sharedCache puts the memory of this process in front of a shared cache server.
func (g *gateway) sharedCache(client redis.UniversalClient) (cachemw.Backend, error) {
	l2, err := cachemw.NewRedis(cachemw.RedisOptions{
		Client: client, LookupTimeout: g.c.Cache.LookupTimeout, Timeout: g.c.Redis.SocketTimeout,
		HealthInterval: g.c.Redis.HealthCheckInterval, HMACKey: []byte(g.c.Redis.HMACKey),
		Compress: g.c.Cache.Compression == "s2", Registerer: g.metrics,
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
	l.log.Debug("redis client", zap.String("detail", fmt.Sprintf(format, args...)))
}

// client returns the client of an address, which parts with the same one share. key is the setting that names it.
func (g *gateway) client(key, url string) (redis.UniversalClient, error) {
	if c, ok := g.clients[url]; ok {
		return c, nil
	}
	redis.SetLogger(redisLogger{g.log})
	settings := g.c.Redis
	settings.URL = url
	own, err := redisCertificates(settings.TLS, g.openCertificate)
	if err != nil {
		return nil, err
	}
	c, err := redisClient(settings, own)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	g.clients[url] = c
	g.life.onStop("redis client", func(context.Context) error { return c.Close() })
	return c, nil
}

// redisChecks are the health of what is shared through Redis, each with the connections that it uses.
func (g *gateway) redisChecks() []admin.Check {
	var checks []admin.Check
	add := func(name, url string, run func() error) {
		if client, ok := g.clients[url]; ok && url != "" {
			checks = append(checks, admin.Check{
				Name: name, Run: func(context.Context) error { return run() }, Pool: func() admin.PoolStats { return g.redisPool(client) },
			})
		}
	}
	if g.cache != nil {
		add("redis", g.c.Redis.URL, g.cache.Err)
	}
	add("sessions", g.c.SessionsRedisURL(), g.sessions.Err)
	if g.c.Limits.Shared {
		add("limits", g.c.LimitsRedisURL(), g.limits.Err)
	}
	return checks
}

// redisPool is the use of a client's connections.
func (g *gateway) redisPool(client redis.UniversalClient) admin.PoolStats {
	s := client.PoolStats()
	open, idle := int(s.TotalConns), int(s.IdleConns)
	return admin.PoolStats{Open: open, InUse: open - idle, Idle: idle, Max: g.c.Redis.PoolSize}
}
