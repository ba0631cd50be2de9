package testkit

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redisSlots is how many hash slots a Redis Cluster has.
const redisSlots = 16384

// StartRedisCluster starts a Redis Cluster of so many masters and waits until
// each knows all. It needs Redis 7.
func StartRedisCluster(t testing.TB, masters int) []*RedisServer {
	t.Helper()
	nodes := make([]*RedisServer, masters)
	for i := range nodes {
		// By default the port between nodes is 10,000 higher, which may be too high.
		_, bus, _ := net.SplitHostPort(freeAddress(t))
		n := StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "5000")
		n.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		from, to := i*redisSlots/masters, (i+1)*redisSlots/masters-1
		n.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		host, port, _ := net.SplitHostPort(n.Addr())
		if i > 0 {
			nodes[0].Do("CLUSTER", "MEET", host, port, bus)
		}
		nodes[i] = n
	}
	for _, n := range nodes {
		n.awaitCluster(masters)
	}
	return nodes
}

// awaitCluster waits until the server knows every master and all slots are
// served. Servers gossip about it and give no signal.
func (s *RedisServer) awaitCluster(masters int) {
	s.t.Helper()
	want := "cluster_size:" + strconv.Itoa(masters) + "\r\n"
	deadline := time.NewTimer(2 * Patience)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		info := s.Do("CLUSTER", "INFO")
		if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, want) {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			s.t.Fatalf("the cluster did not form: %s", info)
		}
	}
}
