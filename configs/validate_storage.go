package configs

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// shortestKey is the least length of the HMAC key of the trail, in bytes: the
// size of a SHA-256.
const shortestKey = 32

// checkStorage checks the database, Redis and the spool.
func checkStorage(issues *Issues, c Config) {
	checkDatabaseURL(issues, c.Store.URL)
	checkRedisURL(issues, "redis.url", c.Redis.URL)
	checkRedisURL(issues, "sessions.redis_url", c.Sessions.RedisURL)
	checkRedisURL(issues, "limits.redis_url", c.Limits.RedisURL)
	if key := c.Audit.HashKey; key != "" && len(key) < shortestKey {
		issues.add("audit.hash_key", fmt.Sprintf("must have at least %d bytes", shortestKey))
	}
}

// checkDatabaseURL checks the address of PostgreSQL. With several hosts, which
// pgx accepts and net/url does not, only the scheme is checked.
func checkDatabaseURL(issues *Issues, text string) {
	if text == "" {
		return
	}
	const want = "write postgres://user@host/database, or leave it out for SQLite in data_dir"
	scheme, rest, found := strings.Cut(text, "://")
	if !found || !slices.Contains([]string{"postgres", "postgresql"}, scheme) {
		issues.add("store.url", "is no PostgreSQL address: "+want)
		return
	}
	if _, err := url.Parse(text); err != nil && !strings.Contains(rest, ",") {
		issues.add("store.url", "is no URL: "+want)
	}
}

// checkRedisURL checks an address in the form that go-redis reads.
func checkRedisURL(issues *Issues, at, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) || u.Host == "" && u.Path == "" {
		issues.add(at, "is no Redis address: write redis://host:6379, rediss://host:6380 or unix:///path")
	}
}
