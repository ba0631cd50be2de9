package configs_test

import (
	"slices"
	"testing"
	"time"

	"sark/configs"
)

// seedSetting is one setting that earlier deployments made by environment
// variables, with every spelling of the variable.
type seedSetting struct {
	names []string
	text  string
	want  any
	get   func(configs.Config) any
}

// seedSettings lists them all. The values differ from the defaults.
func seedSettings() []seedSetting {
	type c = configs.Config
	return []seedSetting{
		{[]string{"POSTGRES_POOL_SIZE", "SARK_STORE_POSTGRES_POOL_SIZE"}, "7", 7, func(c c) any { return c.Store.Postgres.PoolSize }},
		{[]string{"POSTGRES_MAX_OVERFLOW", "SARK_STORE_POSTGRES_MAX_OVERFLOW"}, "3", 3, func(c c) any { return c.Store.Postgres.MaxOverflow }},
		{[]string{"POSTGRES_POOL_TIMEOUT", "SARK_STORE_POSTGRES_POOL_TIMEOUT"}, "1.5", 1500 * time.Millisecond, func(c c) any { return c.Store.Postgres.PoolTimeout }},
		{[]string{"POSTGRES_POOL_RECYCLE", "SARK_STORE_POSTGRES_POOL_RECYCLE"}, "1800", 30 * time.Minute, func(c c) any { return c.Store.Postgres.PoolRecycle }},
		{[]string{"POSTGRES_POOL_RECYCLE", "SARK_STORE_POSTGRES_POOL_RECYCLE"}, "-1", time.Duration(0), func(c c) any { return c.Store.Postgres.PoolRecycle }},
		{[]string{"POSTGRES_POOL_PRE_PING", "SARK_STORE_POSTGRES_POOL_PRE_PING"}, "False", false, func(c c) any { return c.Store.Postgres.PoolPrePing }},
		{[]string{"POSTGRES_ECHO_POOL", "SARK_STORE_POSTGRES_ECHO_POOL"}, "true", true, func(c c) any { return c.Store.Postgres.EchoPool }},
		{[]string{"VALKEY_POOL_SIZE", "REDIS_POOL_SIZE", "SARK_REDIS_POOL_SIZE"}, "5", 5, func(c c) any { return c.Redis.PoolSize }},
		{[]string{"VALKEY_MIN_IDLE", "REDIS_MIN_IDLE", "SARK_REDIS_MIN_IDLE"}, "60", 60, func(c c) any { return c.Redis.MinIdle }},
		{[]string{"VALKEY_SOCKET_TIMEOUT", "REDIS_SOCKET_TIMEOUT", "SARK_REDIS_SOCKET_TIMEOUT"}, "10", 10 * time.Second, func(c c) any { return c.Redis.SocketTimeout }},
		{[]string{"VALKEY_SOCKET_CONNECT_TIMEOUT", "REDIS_SOCKET_CONNECT_TIMEOUT", "SARK_REDIS_SOCKET_CONNECT_TIMEOUT"}, "0.25", 250 * time.Millisecond, func(c c) any { return c.Redis.SocketConnectTimeout }},
		{[]string{"VALKEY_SOCKET_KEEPALIVE", "REDIS_SOCKET_KEEPALIVE", "SARK_REDIS_SOCKET_KEEPALIVE"}, "0", false, func(c c) any { return c.Redis.SocketKeepalive }},
		{[]string{"VALKEY_RETRY_ON_TIMEOUT", "REDIS_RETRY_ON_TIMEOUT", "SARK_REDIS_RETRY_ON_TIMEOUT"}, "no", false, func(c c) any { return c.Redis.RetryOnTimeout }},
		{[]string{"VALKEY_HEALTH_CHECK_INTERVAL", "REDIS_HEALTH_CHECK_INTERVAL", "SARK_REDIS_HEALTH_CHECK_INTERVAL"}, "45", 45 * time.Second, func(c c) any { return c.Redis.HealthCheckInterval }},
		{[]string{"HTTP_POOL_CONNECTIONS", "SARK_HTTP_POOL_CONNECTIONS"}, "11", 11, func(c c) any { return c.HTTPPool.Connections }},
		{[]string{"HTTP_POOL_KEEPALIVE", "SARK_HTTP_POOL_KEEPALIVE"}, "200", 200, func(c c) any { return c.HTTPPool.Keepalive }},
		{[]string{"HTTP_KEEPALIVE_EXPIRY", "SARK_HTTP_POOL_KEEPALIVE_EXPIRY"}, "2.5", 2500 * time.Millisecond, func(c c) any { return c.HTTPPool.KeepaliveExpiry }},
		{[]string{"ENABLE_RESPONSE_CACHE", "SARK_CACHE_ENABLED"}, "false", false, func(c c) any { return c.Cache.Enabled }},
		{[]string{"CACHE_TTL_SECONDS", "SARK_CACHE_TTL"}, "90", 90 * time.Second, func(c c) any { return c.Cache.TTL }},
		{[]string{"CACHE_SERVER_LIST_TTL", "SARK_CACHE_SERVER_LIST_TTL"}, "120", 2 * time.Minute, func(c c) any { return c.Cache.ServerListTTL }},
		{[]string{"CACHE_SERVER_DETAIL_TTL", "SARK_CACHE_SERVER_DETAIL_TTL"}, "0", time.Duration(0), func(c c) any { return c.Cache.ServerDetailTTL }},
	}
}

func TestEverySeedVariableInEverySpelling(t *testing.T) {
	for _, s := range seedSettings() {
		for _, name := range s.names {
			t.Run(name+"="+s.text, func(t *testing.T) {
				loaded := mustLoad(t, configs.Options{Environ: []string{name + "=" + s.text}})

				equal(t, s.want, s.get(loaded.Config))
			})
		}
	}
}

func TestSeedDefaults(t *testing.T) {
	c := configs.Default()
	got := map[string]any{}
	for _, s := range seedSettings() {
		got[s.names[0]] = s.get(c)
	}
	equal(t, map[string]any{
		"POSTGRES_POOL_SIZE": 20, "POSTGRES_MAX_OVERFLOW": 10, "POSTGRES_POOL_TIMEOUT": 30 * time.Second,
		"POSTGRES_POOL_RECYCLE": time.Hour, "POSTGRES_POOL_PRE_PING": true, "POSTGRES_ECHO_POOL": false,
		"VALKEY_POOL_SIZE": 50, "VALKEY_MIN_IDLE": 10, "VALKEY_SOCKET_TIMEOUT": 5 * time.Second,
		"VALKEY_SOCKET_CONNECT_TIMEOUT": 5 * time.Second, "VALKEY_SOCKET_KEEPALIVE": true,
		"VALKEY_RETRY_ON_TIMEOUT": true, "VALKEY_HEALTH_CHECK_INTERVAL": 30 * time.Second,
		"HTTP_POOL_CONNECTIONS": 100, "HTTP_POOL_KEEPALIVE": 20, "HTTP_KEEPALIVE_EXPIRY": 5 * time.Second,
		"ENABLE_RESPONSE_CACHE": true, "CACHE_TTL_SECONDS": time.Minute,
		"CACHE_SERVER_LIST_TTL": 30 * time.Second, "CACHE_SERVER_DETAIL_TTL": 5 * time.Minute,
	}, got)
}

// The table above must not forget a variable that a key lists.
func TestSeedTableIsComplete(t *testing.T) {
	var want, got []string
	for _, key := range configs.Keys() {
		if len(key.Aliases) > 0 {
			want = append(append(want, key.Env), key.Aliases...)
		}
	}
	for _, s := range seedSettings() {
		got = append(got, s.names...)
	}
	slices.Sort(want)
	slices.Sort(got)
	equal(t, want, slices.Compact(got))
}

func TestPresetsHoldExactlyTheirValues(t *testing.T) {
	tests := map[string]func(*configs.Config){
		"high-traffic": func(c *configs.Config) {
			c.Store.Postgres.PoolSize, c.Store.Postgres.MaxOverflow = 50, 20
			c.Redis.PoolSize, c.HTTPPool.Connections = 100, 200
			c.Cache.ServerListTTL, c.Cache.ServerDetailTTL = time.Minute, 10*time.Minute
		},
		"low-latency": func(c *configs.Config) {
			c.Store.Postgres.PoolSize, c.Store.Postgres.PoolRecycle = 10, 30*time.Minute
			c.Redis.SocketTimeout = 2 * time.Second
			c.Cache.ServerListTTL, c.Cache.ServerDetailTTL = 15*time.Second, 2*time.Minute
		},
		"development": func(c *configs.Config) {
			c.Store.Postgres.PoolSize, c.Store.Postgres.MaxOverflow = 5, 2
			c.Store.Postgres.EchoPool, c.Cache.Enabled = true, false
		},
	}
	for _, name := range configs.Presets() {
		t.Run(name, func(t *testing.T) {
			want := configs.Default()
			tests[name](&want)

			loaded := mustLoad(t, configs.Options{Preset: name})

			equal(t, want, loaded.Config)
		})
	}
	equal(t, []string{"development", "high-traffic", "low-latency"}, configs.Presets())
}
