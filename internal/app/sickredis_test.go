package app_test

import (
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/authn"
	"sark/internal/testkit"
)

// sickness is what may be wrong with a Redis that everything is shared through. It begins when the gateway has used Redis.
type sickness struct {
	name   string
	server []string // arguments of redis-server
	begin  func(*ward, *testkit.RedisServer, *testkit.RedisRelay)
}

// sicknesses are all that Redis is known to do to its clients.
var sicknesses = []sickness{
	{"slow", nil, func(_ *ward, _ *testkit.RedisServer, r *testkit.RedisRelay) { r.Delay(4 * sickPatience) }},
	{"silent", nil, func(_ *ward, _ *testkit.RedisServer, r *testkit.RedisRelay) { r.Stall() }},
	{"gone", nil, func(_ *ward, s *testkit.RedisServer, r *testkit.RedisRelay) { s.Kill(); r.Cut() }},
	{"full", nil, func(_ *ward, s *testkit.RedisServer, _ *testkit.RedisRelay) {
		s.Do("CONFIG", "SET", "maxmemory", "1")
	}},
	{"behind another password", nil, func(_ *ward, s *testkit.RedisServer, r *testkit.RedisRelay) {
		s.Do("CONFIG", "SET", "requirepass", "changed")
		r.Cut()
	}},
	{"a replica", nil, func(_ *ward, s *testkit.RedisServer, _ *testkit.RedisRelay) { s.Do("REPLICAOF", "127.0.0.1", "1") }},
	{"a replica without data", nil, func(_ *ward, s *testkit.RedisServer, _ *testkit.RedisRelay) {
		s.Do("CONFIG", "SET", "replica-serve-stale-data", "no")
		s.Do("REPLICAOF", "127.0.0.1", "1")
	}},
	{"loading", []string{"--enable-debug-command", "yes", "--rdbcompression", "no", "--loading-process-events-interval-bytes", "1024"}, loadForLong},
	{"of other types", nil, func(w *ward, s *testkit.RedisServer, r *testkit.RedisRelay) {
		keys := strings.Fields(s.CLI("KEYS", "*"))
		if len(keys) < 4 { // an epoch, a generation, an entry, a session
			w.t.Fatalf("the gateway keeps %q only", keys)
		}
		for _, k := range keys {
			s.Do("DEL", k)
			s.Do("LPUSH", k, "x")
		}
		r.Cut()
		testkit.Eventually(w.t, "what the process holds is dropped, and Redis asked again", func() bool {
			return w.metric(w.t, "sark_cachemw_l1_flushes_total") == "3"
		})
	}},
	{"an unknown part of a cluster", []string{"--cluster-enabled", "yes"}, func(*ward, *testkit.RedisServer, *testkit.RedisRelay) {}},
}

// loadForLong has a server read its data again, for longer than the test takes.
func loadForLong(w *ward, s *testkit.RedisServer, _ *testkit.RedisRelay) {
	s.Do("DEBUG", "POPULATE", "2000", "filler", "2000")
	s.Do("CONFIG", "SET", "key-load-delay", "10000") // microseconds
	_, port, _ := net.SplitHostPort(s.Addr())
	c := exec.Command("redis-cli", "-p", port, "DEBUG", "RELOAD")
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		s.Kill()
		_ = c.Wait() // it lost its server
	})
	testkit.Eventually(w.t, "the server loads", func() bool { return strings.HasPrefix(s.CLI("PING"), "LOADING") })
}

// sickPatience is how long the gateways wait for Redis, as sickConfig says.
const sickPatience = 100 * time.Millisecond

// sickConfig shares everything in Redis: answers, sessions, limits. The legacy server has sessions.
const sickConfig = `data_dir: %s
proxy:
  listen: 127.0.0.1:0
  servers:
    - {name: desk, url: "%s/mcp", sensitivity_level: low, tools: [{name: echo, read_only: true}, {name: wipe, sensitivity_level: critical}]}
    - {name: talk, url: "%s/mcp", sensitivity_level: low, tools: [{name: echo, read_only: true}]}
api: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
log: {level: error}
authn: {api_keys: [%s]}
redis: {url: "%s", socket_timeout: 1s, socket_connect_timeout: 1s, hmac_key: "0123456789abcdef0123456789abcdef"}
cache: {lookup_timeout: 100ms}
limits: {timeout: 100ms, tool_rate: 1, tool_burst: 3}
audit: {batch_interval: 10ms, hash_key: "0123456789abcdef0123456789abcdef"}
`

// sickKeys are an analyst, a viewer and an admin.
func sickKeys() string {
	var keys []string
	for _, role := range []string{"analyst", "viewer", "admin"} {
		keys = append(keys, fmt.Sprintf(`{id: %[1]s, hash: "%[2]s", subject: %[1]s@example.com, roles: [%[1]s]}`,
			role, authn.FormatHash(authn.HashSecret(replicaSecret))))
	}
	return strings.Join(keys, ", ")
}

// ward is a gateway whose Redis may be sick.
type ward struct {
	*gateway
	t       *testing.T
	session string // of the analyst at talk
	asked   int
	said    []string
}

// ask sends a message as somebody, and notes what the answer says about the decision.
func (w *ward) ask(who, path, body string, headers ...string) reply {
	w.t.Helper()
	key := ""
	if who != "" {
		key = "sark_" + who + "_" + replicaSecret
	}
	r := over(w.Proxy, key).do(w.t, "POST", path, body, headers...)
	w.asked++
	reason := regexp.MustCompile(`"(?:reason|rule)":"[^"]*"`).FindAllString(r.Body, -1)
	w.said = append(w.said, fmt.Sprintf("%s %s: %d %s", who, path, r.Status, strings.Join(reason, " ")))
	return r
}

// read reads a resource that may be kept.
func (w *ward) read(who, uri string) reply {
	w.t.Helper()
	return w.ask(who, "/desk/mcp", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"%s","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, uri),
		"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: resources/read", "Mcp-Name: "+uri)
}

// begin opens a session of the analyst.
func (w *ward) begin() {
	w.t.Helper()
	r := w.ask("analyst", "/talk/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if w.session = r.Header.Get("Mcp-Session-Id"); w.session == "" {
		w.t.Fatalf("initialize: %d %s", r.Status, r.Body)
	}
}

// warmUp uses Redis for each thing that is kept there, limits apart: what was counted there is not known here.
func (w *ward) warmUp() {
	w.t.Helper()
	w.read("analyst", "a:1")
	w.begin()
}

// round asks what everybody asks of a gateway, twice what may be kept.
func (w *ward) round() {
	w.t.Helper()
	inSession := func() string { return "Mcp-Session-Id: " + w.session }
	for range 2 {
		w.read("analyst", "a:1")
		w.read("viewer", "a:1")
		w.read("analyst", "a:2")
		w.read("", "a:1")
		w.ask("analyst", "/desk/mcp", toolCall("wipe"))
		w.ask("viewer", "/desk/mcp", toolCall("wipe"))
		w.ask("analyst", "/desk/mcp", `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
		w.ask("analyst", "/talk/mcp", toolCall("echo"), inSession())
		w.begin()
		w.ask("analyst", "/talk/mcp", toolCall("echo"), inSession())
	}
	for range 4 {
		w.ask("viewer", "/desk/mcp", toolCall("echo")) // three pass
	}
	w.ask("analyst", "/nowhere/mcp", toolCall("echo"))
	w.ask("analyst", "/desk/mcp", `{"jsonrpc":`)
}

// volatile are the columns that differ from run to run, or from a hit to a miss.
var volatile = []string{
	"id", "timestamp", "exchange_id", "decision_id", "session_id", "writer_id", "seq", "hash",
	"cache_status", "duration_us", "upstream_us",
}

// trail returns the events of all that was asked, oldest first, without the volatile columns, and how many were hits.
func (w *ward) trail() (events []map[string]any, hits int) {
	w.t.Helper()
	admin := over(w.API, "sark_admin_"+replicaSecret)
	testkit.Eventually(w.t, "the events are in the store", func() bool {
		var page struct{ Items []map[string]any }
		admin.get(w.t, "/api/v1/audit/events?limit=200").decode(w.t, &page)
		events = slices.DeleteFunc(page.Items, func(e map[string]any) bool { return e["path"] == "/api/v1/audit/events" })
		return len(events) >= w.asked
	})
	slices.Reverse(events)
	for _, e := range events {
		if e["cache_status"] == "HIT" {
			hits++
		}
		for _, column := range volatile {
			delete(e, column)
		}
	}
	return events, hits
}

// admit starts a gateway in front of the two servers.
func admit(t *testing.T, redis string, desk, talk *testkit.MCPUpstream) *ward {
	t.Helper()
	file := testkit.WriteFile(t, t.TempDir(), "sark.yaml", fmt.Appendf(nil, sickConfig, dataDir(t), desk.URL(), talk.URL(), sickKeys(), redis))
	return &ward{gateway: start(t, file), t: t}
}

// TestSickRedis asks the same of gateways with a healthy Redis and with one in each kind of trouble. Everybody gets the same
// answers, and the trail tells the same, where answers came from and how long they took apart.
func TestSickRedis(t *testing.T) {
	desk, talk := newEdition(t), testkit.NewMCPUpstream(t, testkit.MCPOptions{Sessions: true})
	healthy := admit(t, testkit.StartRedis(t).URL(), desk.MCPUpstream, talk)
	healthy.warmUp()
	healthy.round()
	events, hits := healthy.trail()
	if hits < 4 || troubles(healthy) != nil {
		t.Fatalf("with a healthy Redis there are %d hits, and %q: the test shows nothing", hits, troubles(healthy))
	}
	t.Logf("%d requests, %d hits", healthy.asked, hits)
	for _, s := range sicknesses {
		t.Run(s.name, func(t *testing.T) {
			server := testkit.StartRedis(t, s.server...)
			relay := testkit.StartRedisRelay(t, server)
			w := admit(t, relay.URL(), desk.MCPUpstream, talk)
			w.warmUp()
			s.begin(w, server, relay)
			w.round()
			if diff := cmp.Diff(healthy.said, w.said); diff != "" {
				t.Errorf("answers (-healthy +sick):\n%s", diff)
			}
			got, _ := w.trail()
			if diff := cmp.Diff(events, got); diff != "" {
				t.Errorf("events (-healthy +sick):\n%s", diff)
			}
			// Whose a session is that this process does not remember as the caller's is not known now; before it was not theirs.
			if r := w.ask("viewer", "/talk/mcp", toolCall("echo"), "Mcp-Session-Id: "+w.session); r.Status != 404 && r.Status != 503 {
				t.Errorf("somebody else's session: %d, want 404 or 503", r.Status)
			}
			if troubles(w) == nil {
				t.Error("no metric tells of any trouble: the test shows nothing")
			}
		})
	}
}

// troubles are the metrics that tell of trouble with Redis.
func troubles(w *ward) []string {
	text := over(w.Admin, "").get(w.t, "/metrics").Body
	return regexp.MustCompile(`(?m)^sark_\w+(?:redis_errors|backend_errors|values_rejected)_total(?:{.*})? [^0].*`).FindAllString(text, -1)
}
