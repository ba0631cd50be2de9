package testkit

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// RedisSentinels is a master with one replica, watched by three Sentinels that
// make the replica the master when it is gone for half a second.
type RedisSentinels struct {
	// Master and Replica are what they were at the start.
	Master, Replica *RedisServer
	// Sentinels watch them; two have to agree.
	Sentinels []*RedisServer

	scheme string
	known  map[*RedisServer]string // under which address gateways and the others know each
}

// sentinelMaster is the name of the master.
const sentinelMaster = "sark"

// StartRedisSentinels starts the servers and waits until each Sentinel knows all
// of them.
func StartRedisSentinels(t testing.TB) *RedisSentinels {
	t.Helper()
	return startRedisSentinels(t, "redis", func() ([]string, string) { return nil, "" })
}

// StartSecureRedisSentinels starts servers and Sentinels that speak TLS with each
// other, and with gateways, as those of StartSecureRedis do.
func StartSecureRedisSentinels(t testing.TB, a *Authority) *RedisSentinels {
	t.Helper()
	return startRedisSentinels(t, "rediss", func() ([]string, string) {
		args, address := secureRedis(t, a)
		return append(args, "--tls-replication", "yes"), address
	})
}

// startRedisSentinels starts the servers. more returns further arguments of the
// next one, and the address under which it is known; empty for its own.
func startRedisSentinels(t testing.TB, scheme string, more func() (args []string, address string)) *RedisSentinels {
	t.Helper()
	s := &RedisSentinels{scheme: scheme, known: map[*RedisServer]string{}}
	start := func(launch func(t testing.TB, args ...string) *RedisServer, args ...string) *RedisServer {
		further, address := more()
		one := launch(t, append(args, further...)...)
		s.known[one] = cmp.Or(address, one.Addr())
		return one
	}
	s.Master = start(StartRedis)
	host, port, _ := net.SplitHostPort(s.known[s.Master])
	s.Replica = start(StartRedis, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	for range 3 {
		conf := filepath.Join(t.TempDir(), "sentinel.conf") // Sentinels write what they learn there.
		text := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 2\nsentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 3000\n",
			sentinelMaster, host, port)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatalf("write the configuration of a sentinel: %v", err)
		}
		s.Sentinels = append(s.Sentinels, start(launchRedis, conf, "--sentinel", "--dir", t.TempDir(), "--bind", "127.0.0.1"))
	}
	for _, one := range s.Sentinels {
		Eventually(t, "a sentinel knows the replica and the other sentinels", func() bool {
			return strings.Contains(one.Do("INFO", "sentinel"), "status=ok,address="+s.known[s.Master]+",slaves=1,sentinels=3")
		})
	}
	Eventually(t, "the replica has what the master has", func() bool {
		return strings.Contains(s.Replica.Do("INFO", "replication"), "master_link_status:up")
	})
	return s
}

// URL returns the address of the Sentinels as go-redis and sark write it.
func (s *RedisSentinels) URL() string {
	q := url.Values{"master_name": {sentinelMaster}}
	for _, one := range s.Sentinels[1:] {
		q.Add("addr", s.known[one])
	}
	return s.scheme + "://" + s.known[s.Sentinels[0]] + "?" + q.Encode()
}

// AwaitPromotion waits until every Sentinel calls the replica the master.
func (s *RedisSentinels) AwaitPromotion() {
	s.Replica.t.Helper()
	for _, one := range s.Sentinels {
		Eventually(s.Replica.t, "the replica is the master", func() bool {
			return strings.Contains(one.Do("INFO", "sentinel"), "address="+s.known[s.Replica]+",") &&
				strings.Contains(s.Replica.Do("INFO", "replication"), "role:master")
		})
	}
}
