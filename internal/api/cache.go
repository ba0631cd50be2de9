package api

import (
	"context"

	"github.com/valyala/fasthttp"
)

// The words of CachePurge.Scope.
const (
	// PurgeAll is everything that is cached.
	PurgeAll = "all"
	// PurgeServers is what is cached of the registry and of every server.
	PurgeServers = "servers"
	// PurgeServer is what is cached of the registry and of one server.
	PurgeServer = "server"
)

// Cache is the response cache. Both methods answer within their context.
type Cache interface {
	// Stats returns the statistics; those of the shared server only when they are asked for.
	Stats(ctx context.Context, redis bool) (CacheStats, error)
	// Purge forgets what is cached. server is the name of a configured or the id or name of a registered server. The error
	// names the layers that were not reached.
	Purge(ctx context.Context, scope, server string) error
}

// CacheStats is the body of GET /api/v1/cache/stats: what this gateway counted since it started, and holds now.
type CacheStats struct {
	Hits          uint64            `json:"hits"`
	Misses        uint64            `json:"misses"`
	Stale         uint64            `json:"stale"`
	Bypasses      uint64            `json:"bypasses"`
	HitRate       float64           `json:"hit_rate"` // of hits, misses and stale; 0 to 1
	Stores        uint64            `json:"stores"`
	Rejects       uint64            `json:"rejects"`
	Invalidations uint64            `json:"invalidations"`
	Errors        uint64            `json:"errors"`
	Entries       int               `json:"entries"`
	Bytes         int64             `json:"bytes"`
	Evictions     uint64            `json:"evictions"`
	EvictionsBy   map[string]uint64 `json:"evictions_by_server"`
	L1Hits        uint64            `json:"l1_hits"`
	L2Hits        uint64            `json:"l2_hits"`
	Trouble       *string           `json:"trouble"` // why a part of the cache is not in use
	Classes       []CacheClass      `json:"classes"`
	Redis         *CacheRedis       `json:"redis,omitempty"`
}

// CacheClass are the requests of one class, a route or JSON-RPC method, to one server.
type CacheClass struct {
	Class     string            `json:"class"`
	Server    string            `json:"server"`
	Hits      uint64            `json:"hits"`
	Misses    uint64            `json:"misses"`
	Stale     uint64            `json:"stale"`
	Evictions uint64            `json:"evictions"`
	Bypasses  map[string]uint64 `json:"bypasses"` // by reason
}

// CacheRedis is what the shared server says about itself, under the names of its INFO command; sums of a cluster's masters.
type CacheRedis struct {
	ConnectedClients         int64  `json:"connected_clients"`
	TotalConnectionsReceived int64  `json:"total_connections_received"`
	KeyspaceHits             int64  `json:"keyspace_hits"`
	KeyspaceMisses           int64  `json:"keyspace_misses"`
	EvictedKeys              int64  `json:"evicted_keys"`
	Keys                     int64  `json:"keys"`
	UsedMemory               int64  `json:"used_memory"`
	MaxMemory                int64  `json:"maxmemory"`
	MaxMemoryPolicy          string `json:"maxmemory_policy"`
}

// CachePurge is the body of POST /api/v1/cache/invalidate.
type CachePurge struct {
	Scope  string `json:"scope"`
	Server string `json:"server"`
}

// cacheStats answers GET /api/v1/cache/stats.
func (a *API) cacheStats(ctx context.Context, r *request) error {
	q := readQuery(r, "redis")
	redis := q.flag("redis")
	if q.err != nil {
		return q.err
	}
	if a.o.Cache == nil {
		return cacheOff()
	}
	stats, err := a.o.Cache.Stats(ctx, redis)
	if err != nil {
		return cacheProblem("The shared cache does not answer: "+err.Error(), err)
	}
	return writeJSON(r.out, fasthttp.StatusOK, stats)
}

// invalidateCache answers POST /api/v1/cache/invalidate. What could not be reached is forgotten as soon as it can be; the
// caller is told all the same.
func (a *API) invalidateCache(ctx context.Context, r *request) error {
	var body CachePurge
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	if err := body.validate(); err != nil {
		return err
	}
	if a.o.Cache == nil {
		return cacheOff()
	}
	if body.Scope == PurgeServer {
		if _, err := a.find(ctx, body.Server, ""); err != nil {
			return err
		}
	}
	if err := a.o.Cache.Purge(ctx, body.Scope, body.Server); err != nil {
		return cacheProblem("Not reached, and tried again: "+err.Error(), err)
	}
	return writeJSON(r.out, fasthttp.StatusOK, body)
}

func (b *CachePurge) validate() error {
	var m mistakes
	switch b.Scope {
	case PurgeServer:
		if b.Server == "" {
			m.add("missing", "The field is required when the scope is server", "server")
		}
	case PurgeAll, PurgeServers:
		if b.Server != "" {
			m.add("value_error", "The field goes with the scope server", "server")
		}
	default:
		m.add("enum", "The scope should be all, servers or server", "scope")
	}
	m.line(b.Server, maxName, "server")
	return m.problem()
}

func cacheOff() error {
	return &Problem{Status: fasthttp.StatusConflict, Code: "cache_off", Detail: "The cache is switched off (cache.enabled)"}
}

func cacheProblem(detail string, cause error) error {
	return &Problem{Status: fasthttp.StatusServiceUnavailable, Code: "cache_unreachable", Detail: detail, cause: cause}
}
