package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sark/internal/testkit"
)

// documentedUser is the command of docs/operations.md that makes a user for gateways, word by word.
func documentedUser(t *testing.T, secret string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ *ACL SETUSER sark .*$`).FindString(string(text))
	if command == "" {
		t.Fatal("docs/operations.md has no ACL SETUSER")
	}
	return strings.Fields(strings.Replace(command, "SECRET", secret, 1))
}

// secured is a Redis of some topology to which gateways speak TLS: the servers that they have to use, the others, and the
// address that they are given, with the user and its password.
type secured struct {
	masters, others []*testkit.RedisServer
	address         string
}

// securedOf starts a Redis of each topology.
var securedOf = map[string]func(*testing.T, *testkit.Authority) secured{
	"standalone": func(t *testing.T, a *testkit.Authority) secured {
		server, address := testkit.StartSecureRedis(t, a)
		return secured{masters: []*testkit.RedisServer{server}, address: "rediss://sark:pa55word@" + address}
	},
	"cluster": func(t *testing.T, a *testkit.Authority) secured {
		nodes, addresses := testkit.StartSecureRedisCluster(t, a, 3)
		return secured{masters: nodes, address: "rediss://sark:pa55word@" + addresses[0] + "?addr=" + addresses[1]}
	},
	"sentinel": func(t *testing.T, a *testkit.Authority) secured {
		s := testkit.StartSecureRedisSentinels(t, a)
		return secured{
			masters: []*testkit.RedisServer{s.Master}, others: []*testkit.RedisServer{s.Replica},
			address: s.URL() + "&username=sark&password=pa55word",
		}
	},
}

// TestSecureRedis has gateways share everything on a Redis of each topology that takes TLS only, from clients with a
// certificate, as the user that the documentation recommends.
func TestSecureRedis(t *testing.T) {
	for topology, start := range securedOf {
		t.Run(topology, func(t *testing.T) {
			authority := testkit.NewAuthority(t)
			r := start(t, authority)
			for _, server := range slices.Concat(r.masters, r.others) {
				server.Do(documentedUser(t, "pa55word")...)
				if topology == "cluster" {
					server.Do("ACL", "SETUSER", "sark", "+cluster")
				}
			}
			testSecureRedis(t, topology, authority, r)
		})
	}
}

func testSecureRedis(t *testing.T, topology string, authority *testkit.Authority, redis secured) {
	dir := t.TempDir()
	cert, key := authority.Issue(t, nil).Write(t, dir)
	secure := fmt.Sprintf(`redis: {url: %q, topology: %s, tls: {ca_file: %q, cert_file: %q, key_file: %q}}`,
		redis.address, topology, testkit.WriteFile(t, dir, "ca.crt", authority.PEM), cert, key)
	limits := `limits: {principal_rate: 1000, principal_burst: 1000, timeout: 5s}`

	upstream := newEdition(t)
	more := []string{secure, limits, replicaKeys(), "cache: {lookup_timeout: 5s}"}
	near := start(t, configure(t, dataDir(t), upstream.URL()+"/mcp", more...))
	far := start(t, configure(t, dataDir(t), upstream.URL()+"/mcp", more...))
	testkit.Eventually(t, "both know the first edition", func() bool {
		return near.read(t, "a:1") == reading{200, "HIT", 1} && far.read(t, "a:1") == reading{200, "HIT", 1}
	})
	upstream.number.Store(2)
	if status, text := purge(t, near, `{"scope":"all"}`); status != http.StatusOK {
		t.Errorf("purge: %d %s", status, text)
	}
	testkit.Eventually(t, "the other has heard of the purge", func() bool { return far.read(t, "a:1").Edition == 2 })

	a, b := replicas(t, secure, limits)
	session := a.begin("ana")
	if mine, foreign := b.call("ana", session), b.call("ben", session); mine != 200 || foreign != 404 {
		t.Errorf("at the other gateway the session's owner gets %d, somebody else %d; want 200 and 404", mine, foreign)
	}

	for _, server := range redis.masters {
		if clients := server.Do("CLIENT", "LIST"); strings.Count(clients, "user=sark") < 8/len(redis.masters) { // of each gateway two or more
			t.Errorf("the gateways are not there as sark: %s", clients)
		}
	}
	for _, g := range []*gateway{near, far, a.g, b.g} {
		text := over(g.Admin, "").get(t, "/metrics").Body
		if wrong := regexp.MustCompile(`(?m)^sark_\w+(?:redis|backend)_errors_total(?:{.*})? [^0]`).FindString(text); wrong != "" {
			t.Errorf("Redis refused something: %s", wrong)
		}
		if !regexp.MustCompile(`(?m)^sark_limit_calls_total{counted="local"} 0$`).MatchString(text) {
			t.Error("calls were counted without Redis")
		}
	}
}

// TestRedisHealthInterval sets the pause between two PINGs by each of the seed's names. By default it is 30 s, longer than
// the test waits. The connection of the cache has a heartbeat of its own, of one second.
func TestRedisHealthInterval(t *testing.T) {
	for _, spelling := range []string{"VALKEY_", "REDIS_"} {
		t.Run(spelling, func(t *testing.T) {
			server := testkit.StartRedis(t)
			relays := map[string]*testkit.RedisRelay{}
			var environ []string
			for _, variable := range []string{"SARK_REDIS_URL", "SARK_SESSIONS_REDIS_URL", "SARK_LIMITS_REDIS_URL"} {
				relays[variable] = testkit.StartRedisRelay(t, server)
				environ = append(environ, variable+"="+relays[variable].URL())
			}
			start(t, configure(t, dataDir(t), "http://127.0.0.1:1/mcp"), append(environ, spelling+"HEALTH_CHECK_INTERVAL=0.1")...)
			for variable, relay := range relays {
				testkit.Eventually(t, "20 PINGs to "+variable, func() bool { return relay.Asked("PING") >= 20 })
			}
		})
	}
}
