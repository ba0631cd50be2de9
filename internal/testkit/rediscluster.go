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
	nodes, _ := startRedisCluster(t, masters, func(args ...string) (*RedisServer, string) {
		n := StartRedis(t, args...)
		return n, n.Addr()
	})
	return nodes
}

// StartSecureRedisCluster starts a Redis Cluster whose nodes speak TLS with each
// other and at the returned addresses, as those of StartSecureRedis do.
func StartSecureRedisCluster(t testing.TB, a *Authority, masters int) (nodes []*RedisServer, secure []string) {
	t.Helper()
	return startRedisCluster(t, masters, func(args ...string) (*RedisServer, string) {
		return StartSecureRedis(t, a, append(args, "--tls-cluster", "yes")...)
	})
}

// startRedisCluster starts a cluster of nodes, which know each other under the
// addresses that start returns.
func startRedisCluster(t testing.TB, masters int, start func(args ...string) (*RedisServer, string)) (nodes []*RedisServer, addresses []string) {
	t.Helper()
	nodes, addresses = make([]*RedisServer, masters), make([]string, masters)
	for i := range nodes {
		// By default the port between nodes is 10,000 higher, which may be too high.
		_, bus, _ := net.SplitHostPort(freeAddress(t))
		n, address := start("--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "5000")
		n.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		from, to := i*redisSlots/masters, (i+1)*redisSlots/masters-1
		n.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		host, port, _ := net.SplitHostPort(address)
		if i > 0 {
			nodes[0].Do("CLUSTER", "MEET", host, port, bus)
		}
		nodes[i], addresses[i] = n, address
	}
	for _, n := range nodes {
		n.awaitCluster(masters)
	}
	return nodes, addresses
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
