package app

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/certs"
	"sark/internal/redisguard"
)

// redisPatience bounds the questions of RedisWarnings to one server.
const redisPatience = 2 * time.Second

// RedisWarnings asks the Redis servers of a configuration whether they may evict what gateways share there before its time,
// and returns one-line remarks, each with a setting and what to do. A cache may be evicted; a session ends with its binding,
// and a limit begins anew. It takes a few seconds at most.
func RedisWarnings(ctx context.Context, c *configs.Config, log *zap.Logger) []string {
	redis.SetLogger(redisLogger{log})
	var warnings []string
	for _, e := range evictions(ctx, c) {
		warnings = append(warnings, e.String())
	}
	return warnings
}

// eviction is what RedisWarnings has found of one part.
type eviction struct {
	key, loss, policy string
	err               error // why it cannot be told
}

// String is the remark, with the key and what to do.
func (e *eviction) String() string {
	if e.err != nil {
		return fmt.Sprintf("%s: cannot tell whether the Redis there evicts keys: %v", e.key, e.err)
	}
	return fmt.Sprintf(
		"%s: %s when the Redis there is full, since its maxmemory-policy is %s; name a server with noeviction, apart from the cache in redis.url",
		e.key, e.loss, e.policy)
}

// evictions lists the parts whose Redis evicts, or does not say.
func evictions(ctx context.Context, c *configs.Config) (found []eviction) {
	answers := map[string]answer{} // by address
	for _, part := range []struct {
		key, url, loss string
		on             bool
	}{
		{"sessions.redis_url", c.SessionsRedisURL(), "sessions end early", true},
		{"limits.redis_url", c.LimitsRedisURL(), "limits begin anew", c.Limits.Shared},
	} {
		if part.url == "" || !part.on {
			continue
		}
		a, asked := answers[part.url]
		if !asked {
			a.policy, a.err = evicts(ctx, c.Redis, part.url)
			answers[part.url] = a
		}
		if a.err != nil && !asked {
			key := part.key
			if part.url == c.Redis.URL {
				key = "redis.url"
			}
			found = append(found, eviction{key: key, err: a.err})
		}
		if a.policy != "" {
			found = append(found, eviction{key: part.key, loss: part.loss, policy: a.policy})
		}
	}
	return found
}

// answer is what a server says of its eviction.
type answer struct {
	policy string
	err    error
}

// passingClient makes a client for a few questions, apart from those that serve.
func passingClient(settings configs.Redis, url string) (redis.UniversalClient, error) {
	settings.URL, settings.PoolSize, settings.MinIdle, settings.RetryOnTimeout = url, 2, 0, false
	own, err := redisCertificates(settings.TLS, func(key, cert, private, authorities string) (*certs.Store, error) {
		return certs.Open(certs.Options{Name: key, CertFile: cert, KeyFile: private, CAFile: authorities})
	})
	if err != nil {
		return nil, err
	}
	return redisClient(settings, own)
}

// evicts returns the policy by which the server of an address evicts, "" when it does not.
func evicts(ctx context.Context, settings configs.Redis, url string) (string, error) {
	client, err := passingClient(settings, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = client.Close() }() // nothing was written
	bounded, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	return redisguard.Evicts(bounded, client)
}
