package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sark/cachemw"
	"sark/internal/api"
	"sark/proxy"
)

// cacheAPI is the response cache as the management API sees it.
type cacheAPI struct{ g *gateway }

// cacheForAPI returns the cache for the management API; nil when it is off.
func (g *gateway) cacheForAPI() api.Cache {
	if g.cache == nil {
		return nil
	}
	return cacheAPI{g}
}

// Stats implements api.Cache.
func (c cacheAPI) Stats(ctx context.Context, redis bool) (api.CacheStats, error) {
	s := c.g.cache.Stats()
	out := api.CacheStats{
		Hits: s.Hits, Misses: s.Misses, Stale: s.Stale, Bypasses: s.Bypasses, HitRate: s.HitRate(),
		Stores: s.Stores, Rejects: s.Rejects, Invalidations: s.Invalidations, Errors: s.Errors,
		Entries: s.Entries, Bytes: s.Bytes, Evictions: s.Evictions, EvictionsBy: s.EvictionsByServer,
		L1Hits: s.L1Hits, L2Hits: s.L2Hits, Classes: make([]api.CacheClass, 0, len(s.Classes)),
	}
	for _, k := range s.Classes {
		out.Classes = append(out.Classes, api.CacheClass(k))
	}
	if err := c.g.cache.Err(); err != nil {
		word := strings.ReplaceAll(err.Error(), "\n", "; ") // one line for each layer
		out.Trouble = &word
	}
	if !redis {
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.g.c.Redis.SocketTimeout)
	defer cancel()
	info, shared, err := c.g.cache.RedisInfo(ctx)
	if err != nil {
		return out, fmt.Errorf("redis.url: %w", err)
	}
	if !shared {
		return out, nil
	}
	out.Redis = redisStats(info)
	return out, nil
}

func redisStats(i cachemw.RedisInfo) *api.CacheRedis {
	return &api.CacheRedis{
		ConnectedClients: i.Clients, TotalConnectionsReceived: i.Connections, KeyspaceHits: i.Hits, KeyspaceMisses: i.Misses,
		EvictedKeys: i.Evictions, Keys: i.Keys, UsedMemory: i.UsedMemory, MaxMemory: i.MaxMemory, MaxMemoryPolicy: i.MaxMemoryPolicy,
	}
}

// Purge implements api.Cache.
func (c cacheAPI) Purge(ctx context.Context, scope, server string) error {
	if scope == api.PurgeAll {
		return c.g.cache.InvalidateAll(ctx)
	}
	names := []string{proxy.APICacheName}
	servers := c.g.table.version().servers
	for i := range servers {
		if s := &servers[i]; scope == api.PurgeServers || s.Name == server {
			names = append(names, proxy.CacheNames(s)...)
		}
	}
	if registered, err := c.g.db.Server(ctx, server); err == nil && scope == api.PurgeServer {
		names = append(names, registered.Name)
	}
	return c.purge(ctx, names)
}

// errNotPurged means that nobody knows what became of a purge.
var errNotPurged = errors.New("the purge was broken off; the log says why")

// purge forgets what is kept under the names, all at once: a server that does not answer would cost the wait for it once for
// each. They fail together, too, so the error has the first cause only.
func (c cacheAPI) purge(ctx context.Context, names []string) error {
	results := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			results[i] = errNotPurged // else a panic would be a success
			guarded(c.g.log, "purge", func() { results[i] = c.g.cache.Invalidate(ctx, name) })
		})
	}
	wg.Wait()
	failed := slices.DeleteFunc(results, func(err error) bool { return err == nil })
	if len(failed) > 1 {
		return fmt.Errorf("%w; and %d more", failed[0], len(failed)-1)
	}
	return errors.Join(failed...)
}
