package configs

import "time"

// Store configures the database of the audit trail and the registry.
type Store struct {
	// URL is the postgres:// address of the database. Empty takes an embedded
	// SQLite database in data_dir.
	URL string `key:"url" reload:"restart" secret:"url"`
	// AuditURL is the address by which events are stored, of the same database
	// by a login that was granted sark_writer: it can neither read nor change
	// the trail. Empty takes store.url.
	AuditURL string `key:"audit_url" reload:"restart" secret:"url"`
	// Roles makes "sark migrate" keep the database roles sark_writer,
	// sark_reader and sark_admin.
	Roles bool `key:"roles" default:"true" reload:"restart"`
	// SlowQuery is the duration from which a query is logged as slow.
	SlowQuery time.Duration `key:"slow_query" default:"100ms" reload:"restart" min:"1ms" max:"1h" off:"0"`
	// Postgres sizes the connection pools.
	Postgres Postgres `key:"postgres"`
}

// Postgres sizes the connection pools to PostgreSQL or TimescaleDB.
type Postgres struct {
	// PoolSize is the number of connections that are kept.
	PoolSize int `key:"pool_size" default:"20" reload:"restart" env:"POSTGRES_POOL_SIZE" min:"1" max:"10000" unit:"connections"`
	// MaxOverflow is the number of connections beyond pool_size under load;
	// pool_size + max_overflow is the hard cap.
	MaxOverflow int `key:"max_overflow" default:"10" reload:"restart" env:"POSTGRES_MAX_OVERFLOW" min:"0" max:"10000" unit:"connections"`
	// PoolTimeout bounds the wait for a free connection; after it the caller
	// gets 503.
	PoolTimeout time.Duration `key:"pool_timeout" default:"30s" reload:"restart" env:"POSTGRES_POOL_TIMEOUT" min:"1ms" max:"1h"`
	// PoolRecycle is the age at which a connection is replaced.
	PoolRecycle time.Duration `key:"pool_recycle" default:"1h" reload:"restart" env:"POSTGRES_POOL_RECYCLE" min:"1s" max:"720h" off:"-1"`
	// PoolPrePing tests a connection each time before it is used.
	PoolPrePing bool `key:"pool_pre_ping" default:"true" reload:"restart" env:"POSTGRES_POOL_PRE_PING"`
	// EchoPool logs every acquire and release of a connection.
	EchoPool bool `key:"echo_pool" default:"false" reload:"restart" env:"POSTGRES_ECHO_POOL"`
	// AuditPoolSize is the number of connections that only the audit shipper
	// uses, so that API load never starves the trail.
	AuditPoolSize int `key:"audit_pool_size" default:"2" reload:"restart" min:"1" max:"16" unit:"connections"`
}

// Redis configures the shared cache server, Redis or Valkey.
type Redis struct {
	// URL is the redis://, rediss:// or unix:// address. Empty keeps the cache,
	// the rate limits and the sessions in this process.
	URL string `key:"url" reload:"restart" secret:"url"`
	// Topology is what the url leads to. Cluster and sentinel addresses beyond
	// the first are addr parameters of the url, the sentinel's master name is
	// its master_name parameter.
	Topology string `key:"topology" default:"standalone" reload:"restart" enum:"standalone|sentinel|cluster"`
	// TLS is how a server with a rediss:// address is verified, and what it is
	// shown.
	TLS RedisTLS `key:"tls"`
	// PoolSize is the most connections.
	PoolSize int `key:"pool_size" default:"50" reload:"restart" env:"VALKEY_POOL_SIZE,REDIS_POOL_SIZE" min:"1" max:"100000" unit:"connections"`
	// MinIdle is the number of idle connections that are kept ready, up to pool_size.
	MinIdle int `key:"min_idle" default:"10" reload:"restart" env:"VALKEY_MIN_IDLE,REDIS_MIN_IDLE" min:"0" max:"100000" unit:"connections"`
	// SocketTimeout bounds one read or write for pings, invalidation and
	// sessions. Lookups on the way of a request have cache.lookup_timeout.
	SocketTimeout time.Duration `key:"socket_timeout" default:"5s" reload:"restart" env:"VALKEY_SOCKET_TIMEOUT,REDIS_SOCKET_TIMEOUT" min:"1ms" max:"5m"`
	// SocketConnectTimeout bounds the opening of a connection.
	SocketConnectTimeout time.Duration `key:"socket_connect_timeout" default:"5s" reload:"restart" env:"VALKEY_SOCKET_CONNECT_TIMEOUT,REDIS_SOCKET_CONNECT_TIMEOUT" min:"1ms" max:"5m"`
	// SocketKeepalive sends TCP keep-alive probes.
	SocketKeepalive bool `key:"socket_keepalive" default:"true" reload:"restart" env:"VALKEY_SOCKET_KEEPALIVE,REDIS_SOCKET_KEEPALIVE"`
	// RetryOnTimeout repeats a command that timed out.
	RetryOnTimeout bool `key:"retry_on_timeout" default:"true" reload:"restart" env:"VALKEY_RETRY_ON_TIMEOUT,REDIS_RETRY_ON_TIMEOUT"`
	// HMACKey signs what gateways keep in Redis, so that whoever else can write
	// there cannot forge a binding or an answer. It has at least 32 bytes and is
	// the same for all replicas. Empty signs nothing.
	HMACKey string `key:"hmac_key" reload:"restart" secret:"true"`
	// HealthCheckInterval is the pause between two background pings, which feed
	// the health words and the breaker.
	HealthCheckInterval time.Duration `key:"health_check_interval" default:"30s" reload:"restart" env:"VALKEY_HEALTH_CHECK_INTERVAL,REDIS_HEALTH_CHECK_INTERVAL" min:"100ms" max:"1h"`
}

// RedisTLS configures the connections to a rediss:// address. Its files are
// read again when they change; a pair that cannot be used leaves the old one in
// force.
type RedisTLS struct {
	// CAFile is the PEM file of the authorities of the server's certificate.
	// Empty takes those of the system.
	CAFile string `key:"ca_file" reload:"restart"`
	// CertFile is the PEM file of the certificate chain that the server is
	// shown when it asks for one (mutual TLS).
	CertFile string `key:"cert_file" reload:"restart"`
	// KeyFile is the PEM file of the private key of cert_file.
	KeyFile string `key:"key_file" reload:"restart"`
	// ServerName is the name that the server's certificate must be for, that of
	// every node of a Cluster and of every Sentinel; empty takes the host of the
	// address.
	ServerName string `key:"server_name" reload:"restart"`
}

// Cache configures the response cache.
type Cache struct {
	// Enabled turns the response cache on.
	Enabled bool `key:"enabled" default:"true" reload:"live" env:"ENABLE_RESPONSE_CACHE"`
	// TTL is how long the health reply stays fresh.
	TTL time.Duration `key:"ttl" default:"1m" reload:"live" env:"CACHE_TTL_SECONDS" min:"0s" max:"24h"`
	// ServerListTTL is how long a page of the server list stays fresh.
	ServerListTTL time.Duration `key:"server_list_ttl" default:"30s" reload:"live" env:"CACHE_SERVER_LIST_TTL" min:"0s" max:"24h"`
	// ServerDetailTTL is how long one server's details stay fresh.
	ServerDetailTTL time.Duration `key:"server_detail_ttl" default:"5m" reload:"live" env:"CACHE_SERVER_DETAIL_TTL" min:"0s" max:"24h"`
	// CacheReadiness caches, for ttl, also what says whether parts work at the
	// moment: /health/ready, /health/detailed and /health/pools. That hides
	// outages for as long, which is why it is off.
	CacheReadiness bool `key:"cache_readiness" default:"false" reload:"live"`
	// LookupTimeout bounds one lookup in the shared cache; a slower one is a miss.
	LookupTimeout time.Duration `key:"lookup_timeout" default:"50ms" reload:"restart" min:"1ms" max:"5s"`
	// Partition is what keeps private entries of callers apart: credential, or
	// principal (issuer, subject, client id, scopes and roles), which lets a caller's
	// renewed token meet the entries of the old one.
	Partition string `key:"partition" default:"credential" reload:"restart" enum:"credential|principal"`
	// MaxBytes is the size of the cache in this process.
	MaxBytes Bytes `key:"max_bytes" default:"64MiB" reload:"restart" min:"1MiB" max:"64GiB"`
	// Compression makes what goes into the shared cache shorter: s2 takes a few
	// microseconds of the gateway for each of its lookups there, and saves
	// memory and bandwidth of the server. Gateways read either.
	Compression string `key:"compression" default:"none" reload:"restart" enum:"none|s2"`
	// DebugHeaders adds X-Cache-Key to replies. The key is an oracle for what
	// others have asked: use it in development only.
	DebugHeaders bool `key:"debug_headers" default:"false" reload:"live"`
}

// Limits configures the rate limits. A rate of zero sets no limit.
type Limits struct {
	// RedisURL is where limits are counted for all replicas; empty takes redis.url.
	// The other settings of redis apply to it too.
	RedisURL string `key:"redis_url" reload:"restart" secret:"url"`
	// AuthFailuresPerMinute is how many failed authentications one client
	// address has; after that its requests with credentials get 429.
	AuthFailuresPerMinute int `key:"auth_failures_per_minute" default:"30" reload:"live" min:"1" max:"1000000" unit:"failures" off:"0"`
	// Shared counts the calls of all replicas together in Redis, when there is one.
	// Without it each replica counts for itself.
	Shared bool `key:"shared" default:"true" reload:"restart"`
	// Timeout bounds one question to Redis. When it is over, or Redis is gone,
	// each replica counts for itself until Redis answers again.
	Timeout time.Duration `key:"timeout" default:"50ms" reload:"restart" min:"1ms" max:"5s"`
	// PrincipalRate is how many calls a minute one principal may have forwarded.
	PrincipalRate int `key:"principal_rate" default:"0" reload:"live" min:"1" max:"1000000" unit:"calls per minute" off:"0"`
	// PrincipalBurst is how many calls a principal may make at once.
	PrincipalBurst int `key:"principal_burst" default:"20" reload:"live" min:"1" max:"1000000" unit:"calls"`
	// ServerRate is how many calls a minute are forwarded to one server.
	ServerRate int `key:"server_rate" default:"0" reload:"live" min:"1" max:"1000000" unit:"calls per minute" off:"0"`
	// ServerBurst is how many calls a server may receive at once.
	ServerBurst int `key:"server_burst" default:"100" reload:"live" min:"1" max:"1000000" unit:"calls"`
	// ToolRate is how many calls a minute of one tool one principal may have forwarded.
	ToolRate int `key:"tool_rate" default:"0" reload:"live" min:"1" max:"1000000" unit:"calls per minute" off:"0"`
	// ToolBurst is how many calls of one tool a principal may make at once.
	ToolBurst int `key:"tool_burst" default:"20" reload:"live" min:"1" max:"1000000" unit:"calls"`
}

// Sessions configures the binding of MCP sessions and tasks to principals.
type Sessions struct {
	// RedisURL is where bindings are kept for all replicas; empty takes redis.url.
	// The other settings of redis apply to it too.
	RedisURL string `key:"redis_url" reload:"restart" secret:"url"`
	// TTL is how long a binding outlives the last use of its session.
	TTL time.Duration `key:"ttl" default:"24h" reload:"restart" min:"1m" max:"720h"`
	// MaxPerPrincipal is the most sessions that one principal may hold at one
	// replica, and, counted apart, the most tasks and open questions of
	// servers; the one unused for longest makes room.
	MaxPerPrincipal int `key:"max_per_principal" default:"1000" reload:"restart" min:"1" max:"1000000" unit:"sessions"`
}
