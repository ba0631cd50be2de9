package configs

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// shortestKey is the least length of an HMAC key in bytes: the size of a SHA-256.
const shortestKey = 32

// checkStorage checks the database, Redis and the spool.
func checkStorage(issues *Issues, c Config) {
	checkDatabaseURL(issues, "store.url", c.Store.URL)
	checkDatabaseURL(issues, "store.audit_url", c.Store.AuditURL)
	if c.Store.AuditURL != "" && c.Store.URL == "" {
		issues.add("store.audit_url", "needs store.url: it is another login of the same database")
	}
	checkRedisURL(issues, "redis.url", c.Redis.URL, c.Redis.Topology)
	checkRedisURL(issues, "sessions.redis_url", c.Sessions.RedisURL, c.Redis.Topology)
	checkRedisURL(issues, "limits.redis_url", c.Limits.RedisURL, c.Redis.Topology)
	checkRedisTLS(issues, c)
	checkKey(issues, "redis.hmac_key", c.Redis.HMACKey)
	checkBurst(issues, "limits.principal_burst", c.Limits.PrincipalRate, c.Limits.PrincipalBurst)
	checkBurst(issues, "limits.server_burst", c.Limits.ServerRate, c.Limits.ServerBurst)
	checkBurst(issues, "limits.tool_burst", c.Limits.ToolRate, c.Limits.ToolBurst)
	for i, s := range c.Proxy.Servers {
		checkBurst(issues, fmt.Sprintf("proxy.servers[%d].limit.burst", i), s.Limit.Rate, s.Limit.Burst)
	}
	checkSIEM(issues, c.Audit.SIEM)
	checkKey(issues, "audit.hash_key", c.Audit.HashKey)
}

// checkKey checks the length of an HMAC key.
func checkKey(issues *Issues, at, key string) {
	if key != "" && len(key) < shortestKey {
		issues.add(at, fmt.Sprintf("must have at least %d bytes", shortestKey))
	}
}

// minutesOfYear is how long a burst may take to refill.
const minutesOfYear = 365 * 24 * 60

// checkBurst checks that a burst refills within a year at a rate of calls a
// minute.
func checkBurst(issues *Issues, at string, rate, burst int) {
	if rate > 0 && burst/rate >= minutesOfYear {
		issues.add(at, fmt.Sprintf("takes more than a year to refill at %d calls a minute: lower it or raise the rate", rate))
	}
}

// checkDatabaseURL checks the address of PostgreSQL. With several hosts, which
// pgx accepts and net/url does not, only the scheme is checked.
func checkDatabaseURL(issues *Issues, at, text string) {
	if text == "" {
		return
	}
	const want = "write postgres://user@host/database, or leave it out for SQLite in data_dir"
	scheme, rest, found := strings.Cut(text, "://")
	if !found || !slices.Contains([]string{"postgres", "postgresql"}, scheme) {
		issues.add(at, "is no PostgreSQL address: "+want)
		return
	}
	if _, err := url.Parse(text); err != nil && !strings.Contains(rest, ",") {
		issues.add(at, "is no URL: "+want)
	}
}

// checkRedisTLS checks that the files of a certificate are complete, and that
// there is TLS for them.
func checkRedisTLS(issues *Issues, c Config) {
	secure := slices.ContainsFunc([]string{c.Redis.URL, c.SessionsRedisURL(), c.LimitsRedisURL()}, func(url string) bool {
		return strings.HasPrefix(url, "rediss:")
	})
	switch t := c.Redis.TLS; {
	case t == (RedisTLS{}):
	case !secure:
		issues.add("redis.tls", "is used by rediss only: write the address as rediss://, or leave it out")
	case t.CertFile != "" && t.KeyFile == "":
		issues.add("redis.tls.key_file", "is required with cert_file")
	case t.CertFile == "" && t.KeyFile != "":
		issues.add("redis.tls.cert_file", "is required with key_file")
	}
}

// checkRedisURL checks an address in the form that go-redis reads.
func checkRedisURL(issues *Issues, at, text, topology string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) || u.Host == "" && u.Path == "" {
		issues.add(at, "is no Redis address: write redis://host:6379, rediss://host:6380 or unix:///path")
		return
	}
	if topology == "sentinel" && u.Query().Get("master_name") == "" {
		issues.add(at, "names no master: write redis://sentinel:26379?master_name=NAME&addr=sentinel2:26379")
	}
}
