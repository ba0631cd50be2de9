package cachemw_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sark/cachemw"
	"sark/cachemw/cachetest"
	"sark/internal/testkit"
)

// dialCluster makes a cluster client as a gateway does.
func dialCluster(t testing.TB, nodes []*testkit.RedisServer) *redis.ClusterClient {
	t.Helper()
	o := &redis.ClusterOptions{ContextTimeoutEnabled: true}
	for _, n := range nodes {
		o.Addrs = append(o.Addrs, n.Addr())
	}
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestRedisCluster runs the suite on a cluster, and loses one of its servers.
func TestRedisCluster(t *testing.T) {
	nodes := testkit.StartRedisCluster(t, 3)
	cachetest.Run(t, func(t *testing.T, now func() time.Time) cachemw.Backend {
		return newTiered(t, newRedis(t, cachemw.RedisOptions{
			Client: dialCluster(t, nodes), LookupTimeout: patient, Prefix: ownPrefix(), Now: now,
		}), cachemw.TieredOptions{Now: now})
	})
	t.Run("restart of a node", func(t *testing.T) { testNodeRestart(t, nodes) })
}

// testNodeRestart restarts each node in turn on a snapshot from before an invalidation: whichever holds the generation of
// a server, it must not bring it back.
func testNodeRestart(t *testing.T, nodes []*testkit.RedisServer) {
	ctx := context.Background()
	r := newRedis(t, cachemw.RedisOptions{Client: dialCluster(t, nodes), LookupTimeout: patient})
	const servers = 12 // Enough for each node to hold the generation of one.
	for _, n := range nodes {
		eventually(t, "the cluster is asked again", func() bool { return r.Err() == nil })
		for i := range servers {
			saved(t, r, fmt.Sprint(i), "old")
		}
		for _, each := range nodes {
			each.Do("SAVE")
		}
		for i := range servers {
			if err := r.Invalidate(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		n.Kill()
		n.Start()
		for i := range servers {
			if got := loaded(r, fmt.Sprint(i)); got == "old" {
				t.Errorf("server %d: the restart brought an entry back that had been invalidated", i)
			}
		}
		eventually(t, "every server can be cached again", func() bool {
			for i := range servers {
				if _, err := r.Generation(ctx, fmt.Sprint(i)); err != nil {
					return false
				}
			}
			return true
		})
		for i := range servers {
			if got := loaded(r, fmt.Sprint(i)); got == "old" {
				t.Errorf("server %d: an entry came back later", i)
			}
		}
	}
}
