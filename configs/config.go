package configs

import (
	"path/filepath"
)

// Config is the whole configuration of a gateway. The zero value is not
// usable; [Default] and [Load] return values that hold every default.
type Config struct {
	// DataDir is the directory for what the gateway keeps on disk: the spool,
	// the embedded database, generated keys and the local API socket.
	DataDir string `key:"data_dir" default:"/var/lib/sark" reload:"restart"`
	// Environment is the deployment's name in audit events and in
	// /health/detailed, for example production.
	Environment string `key:"environment" reload:"restart"`
	// WatchConfig reads the configuration again when its file, or one that a
	// _file key names, holds something else: it is looked at each second. When
	// false only SIGHUP, SIGUSR2 and POST /reload on the debug listener do that.
	WatchConfig bool `key:"watch_config" default:"true" reload:"live"`
	// Proxy is the data plane: its listener, its limits and the MCP servers
	// behind it.
	Proxy Proxy `key:"proxy"`
	// HTTPPool sizes the connections to each upstream.
	HTTPPool HTTPPool `key:"http_pool"`
	// Authn says whose credentials are accepted.
	Authn Authn `key:"authn"`
	// Authz is the policy decision point: its bundle, its mode and its clock.
	Authz Authz `key:"authz"`
	// Store is the database of the audit trail and the registry.
	Store Store `key:"store"`
	// Redis is the shared cache server, Redis or Valkey.
	Redis Redis `key:"redis"`
	// Cache is the response cache.
	Cache Cache `key:"cache"`
	// Limits are the rate limits. A denied call and a cache HIT spend nothing.
	Limits Limits `key:"limits"`
	// Sessions binds MCP sessions and tasks to the principal that opened them.
	Sessions Sessions `key:"sessions"`
	// Audit is the way of an audit event from the request to the database.
	Audit Audit `key:"audit"`
	// API is the management API.
	API API `key:"api"`
	// Admin is the listener for health words and metrics.
	Admin Admin `key:"admin"`
	// Debug is the listener for profiles, the log level, reloads and drains.
	Debug Debug `key:"debug"`
	// Log is the operational log. It is not the audit trail.
	Log Log `key:"log"`
}

// Default returns the configuration that holds when nothing is set. It is
// valid, has no servers, and denies every caller.
func Default() Config {
	c, err := merge(newSchema(), nil)
	if err != nil {
		panic("BUG: the defaults do not decode: " + err.Error())
	}
	return c
}

// SpoolDir returns audit.spool_dir, or the directory "spool" in data_dir.
func (c Config) SpoolDir() string {
	if c.Audit.SpoolDir != "" {
		return c.Audit.SpoolDir
	}
	return filepath.Join(c.DataDir, "spool")
}

// APISocket returns the unix socket path of the management API: api.socket, or
// "api.sock" in data_dir.
func (c Config) APISocket() string {
	if c.API.Socket != "" {
		return c.API.Socket
	}
	return filepath.Join(c.DataDir, "api.sock")
}

// SessionsRedisURL returns sessions.redis_url, or redis.url. Empty means that
// sessions are bound in this process only.
func (c Config) SessionsRedisURL() string {
	if c.Sessions.RedisURL != "" {
		return c.Sessions.RedisURL
	}
	return c.Redis.URL
}

// LimitsRedisURL returns limits.redis_url, or redis.url. Empty means that
// limits are counted in this process only.
func (c Config) LimitsRedisURL() string {
	if c.Limits.RedisURL != "" {
		return c.Limits.RedisURL
	}
	return c.Redis.URL
}
