package cachemw

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
)

// RedisInfo is what the Redis server says about itself, everything included that other programs keep there. For a cluster
// it is the sum over the masters.
type RedisInfo struct {
	// Keys is the number of keys in all databases.
	Keys int64
	// UsedMemory and MaxMemory are in bytes; a MaxMemory of 0 is no limit.
	UsedMemory, MaxMemory int64
	// MaxMemoryPolicy is what happens when memory is full, such as "allkeys-lru".
	MaxMemoryPolicy string
	// Clients is how many clients are connected, Connections how many ever were.
	Clients, Connections int64
	// Hits and Misses count lookups of keys, Evictions keys that had to go to make room.
	Hits, Misses, Evictions int64
}

// Info asks the server about itself.
func (r *Redis) Info(ctx context.Context) (RedisInfo, error) {
	var mu sync.Mutex
	var sum RedisInfo
	err := redisguard.EachMaster(ctx, r.client, func(ctx context.Context, c redis.UniversalClient) error {
		// One answer with every section: older servers take no more than one name.
		text, err := c.Info(ctx).Result()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sum.add(redisguard.InfoFields(text))
		return nil
	})
	if err != nil {
		return RedisInfo{}, fmt.Errorf("ask redis for INFO: %w", err)
	}
	return sum, nil
}

// add adds what one server says.
func (i *RedisInfo) add(fields map[string]string) {
	for name, value := range fields {
		if strings.HasPrefix(name, "db") { // db0:keys=1,expires=0,avg_ttl=0
			keys, _, _ := strings.Cut(value, ",")
			i.Keys += infoNumber(strings.TrimPrefix(keys, "keys="))
		}
	}
	i.UsedMemory += infoNumber(fields["used_memory"])
	i.MaxMemory += infoNumber(fields["maxmemory"])
	i.MaxMemoryPolicy = fields["maxmemory_policy"]
	i.Clients += infoNumber(fields["connected_clients"])
	i.Connections += infoNumber(fields["total_connections_received"])
	i.Hits += infoNumber(fields["keyspace_hits"])
	i.Misses += infoNumber(fields["keyspace_misses"])
	i.Evictions += infoNumber(fields["evicted_keys"])
}

// infoNumber reads a number; what is none counts as 0.
func infoNumber(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}
