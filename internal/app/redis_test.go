package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sark/configs"
	"sark/internal/certs"
	"sark/internal/testkit"
)

// liveRedis is what a live client does with the seed's settings.
type liveRedis struct {
	PoolSize, MaxActive, MinIdle int
	Read, Write, Dial            time.Duration
	Retries                      int
	Deadlines                    bool
	dial                         dialer
}

func liveRedisOf(t *testing.T, client redis.UniversalClient) liveRedis {
	t.Helper()
	switch c := client.(type) {
	case *redis.Client:
		o := c.Options()
		return liveRedis{
			o.PoolSize, o.MaxActiveConns, o.MinIdleConns, o.ReadTimeout, o.WriteTimeout, o.DialTimeout, o.MaxRetries,
			o.ContextTimeoutEnabled, o.Dialer,
		}
	case *redis.ClusterClient: // a node's client of it is made in the same way, without retries of its own
		o := c.Options()
		return liveRedis{
			o.PoolSize, o.MaxActiveConns, o.MinIdleConns, o.ReadTimeout, o.WriteTimeout, o.DialTimeout, max(0, o.MaxRetries),
			o.ContextTimeoutEnabled, o.Dialer,
		}
	}
	t.Fatalf("a client of type %T", client)
	return liveRedis{}
}

// keptAlive reports whether the system sends keep-alive probes on the connections that a client dials.
func (l liveRedis) keptAlive(t *testing.T) bool {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // nothing was sent
	conn, err := l.dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return probed(t, conn)
}

// probed reports whether the system sends keep-alive probes on a connection.
func probed(t *testing.T, conn net.Conn) bool {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var on int
	var asked error
	err = raw.Control(func(fd uintptr) { on, asked = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) })
	if err := errors.Join(err, asked); err != nil {
		t.Fatal(err)
	}
	return on != 0
}

// redisAddresses are addresses of each topology at which nobody listens.
var redisAddresses = map[string]string{
	"standalone": "redis://127.0.0.1:1",
	"sentinel":   "redis://127.0.0.1:1?master_name=m&addr=127.0.0.1:2",
	"cluster":    "redis://127.0.0.1:1?addr=127.0.0.1:2",
}

// TestRedisSettings sets each of the seed's variables in both spellings and finds it in the live client of each topology,
// and nothing else changed. VALKEY_HEALTH_CHECK_INTERVAL is no setting of the client: see TestRedisHealthInterval. It is
// inside the package because the client is not for others.
func TestRedisSettings(t *testing.T) {
	byDefault := liveRedis{50, 50, 10, 5 * time.Second, 5 * time.Second, 5 * time.Second, 3, true, nil}
	for _, c := range []struct {
		variable, value string
		change          func(*liveRedis)
		silent          bool // no keep-alive probes
	}{
		{"POOL_SIZE", "77", func(l *liveRedis) { l.PoolSize, l.MaxActive = 77, 77 }, false},
		{"MIN_IDLE", "3", func(l *liveRedis) { l.MinIdle = 3 }, false},
		{"MIN_IDLE", "9000", func(l *liveRedis) { l.MinIdle = 50 }, false},
		{"SOCKET_TIMEOUT", "2.5", func(l *liveRedis) { l.Read, l.Write = 2500*time.Millisecond, 2500*time.Millisecond }, false},
		{"SOCKET_CONNECT_TIMEOUT", "7", func(l *liveRedis) { l.Dial = 7 * time.Second }, false},
		{"SOCKET_KEEPALIVE", "true", func(*liveRedis) {}, false},
		{"SOCKET_KEEPALIVE", "false", func(*liveRedis) {}, true},
		{"RETRY_ON_TIMEOUT", "false", func(l *liveRedis) { l.Retries = 0 }, false},
		{"RETRY_ON_TIMEOUT", "true", func(l *liveRedis) { l.Retries = 3 }, false},
	} {
		for _, spelling := range []string{"VALKEY_", "REDIS_"} {
			for topology, url := range redisAddresses {
				t.Run(spelling+c.variable+"="+c.value+" "+topology, func(t *testing.T) {
					client := clientOf(t, nil, spelling+c.variable+"="+c.value, "SARK_REDIS_URL="+url, "SARK_REDIS_TOPOLOGY="+topology)
					want := byDefault
					c.change(&want)

					got := liveRedisOf(t, client)

					if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".dial" }, cmp.Ignore())); diff != "" {
						t.Errorf("in the live client (-want +got):\n%s", diff)
					}
					if topology == "sentinel" { // its dialer asks the Sentinels first, and goes on with the same one
						return
					}
					if alive := got.keptAlive(t); alive == c.silent {
						t.Errorf("keep-alive probes: %v, want %v", alive, !c.silent)
					}
				})
			}
		}
	}
}

// clientOf makes the client of a configuration in the environment.
func clientOf(t *testing.T, own *certs.Store, environ ...string) redis.UniversalClient {
	t.Helper()
	loaded, err := configs.Load(configs.Options{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	client, err := redisClient(loaded.Config.Redis, own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // it was hardly used
	return client
}

// TestSentinelAddresses refuses addresses that lead elsewhere than to the master.
func TestSentinelAddresses(t *testing.T) {
	settings := configs.Default().Redis
	settings.Topology, settings.MinIdle = "sentinel", 0
	for url, ok := range map[string]bool{
		"redis://127.0.0.1:1?master_name=m&addr=127.0.0.1:2":      true,
		"redis://127.0.0.1:1":                                     false,
		"redis://127.0.0.1:1?master_name=m&route_randomly=true":   false,
		"redis://127.0.0.1:1?master_name=m&route_by_latency=true": false,
		"redis://127.0.0.1:1?master_name=m&replica_only=true":     false,
	} {
		settings.URL = url
		client, err := redisClient(settings, nil)
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil {
			continue
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRedisHandshakes has a server that wants a client's certificate: a client of each topology shows that of redis.tls,
// and sends nothing, above all no password, to a server that its own authority does not vouch for.
func TestRedisHandshakes(t *testing.T) {
	authority, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	dir := t.TempDir()
	cert, key := authority.Issue(t, nil).Write(t, dir)
	own, err := certs.Open(certs.Options{
		Name: "redis.tls", CertFile: cert, KeyFile: key, CAFile: testkit.WriteFile(t, dir, "ca.crt", authority.PEM),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server *testkit.Authority
		name   string // redis.tls.server_name
		own    *certs.Store
		want   string
	}{
		"both sides":                {authority, "", own, "client test"},
		"under another name":        {authority, "localhost", own, "client test"},
		"under a wrong name":        {authority, "elsewhere", own, "refused"},
		"a server of another":       {other, "", own, "refused"},
		"authorities of the system": {authority, "", nil, "refused"},
	} {
		for topology := range redisAddresses {
			t.Run(name+", "+topology, func(t *testing.T) {
				address, seen := secureListener(t, c.server, authority)
				query := ""
				if topology == "sentinel" {
					query = "?master_name=m"
				}
				client := clientOf(t, c.own, "SARK_REDIS_URL=rediss://u:secret@"+address+query, "SARK_REDIS_TOPOLOGY="+topology,
					"SARK_REDIS_MIN_IDLE=0", "SARK_REDIS_TLS_SERVER_NAME="+c.name, "SARK_REDIS_RETRY_ON_TIMEOUT=false")
				ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
				defer cancel()

				err := client.Ping(ctx).Err()

				if err == nil { // the listener is no Redis
					t.Error("the ping was answered")
				}
				if got := testkit.Wait(t, 0, seen); got != c.want {
					t.Errorf("the server saw %q (the client: %v), want %q", got, err, c.want)
				}
			})
		}
	}
}

// secureListener accepts TLS connections with a certificate of one authority, from clients with one of the other. For each
// it says whether it was there, and hangs up.
func secureListener(t *testing.T, own, clients *testkit.Authority) (address string, seen <-chan string) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own.Issue(t, nil).Pair(t)},
		ClientCAs: clients.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 64) // more than a client dials
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			said <- shown(conn.(*tls.Conn))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-stopped
	})
	return listener.Addr().String(), said
}

// shown is what a server sees of a client.
func shown(conn *tls.Conn) string {
	if err := conn.SetDeadline(time.Now().Add(testkit.Patience)); err != nil {
		return err.Error()
	}
	if conn.Handshake() != nil {
		return "refused"
	}
	return fmt.Sprintf("client %s", conn.ConnectionState().PeerCertificates[0].Subject.CommonName)
}
