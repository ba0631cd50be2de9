package app_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// sharedCache are the settings of gateways that share a cache on a server, for everybody. Lookups may take long: on a
// busy machine one that takes half of the default of 50 ms opens the breaker, and what one gateway stored the other misses.
func sharedCache(redisURL string) []string {
	return []string{
		"authn: {anonymous: {allow: true, roles: [admin]}}", "redis: {url: \"" + redisURL + "\"}", "cache: {lookup_timeout: 5s}",
	}
}

// listTools asks a gateway for the tools in the modern era and returns the status and what the cache says of it.
func listTools(t *testing.T, address string) [2]string {
	t.Helper()
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list",
	} {
		req.Header.Set(name, value)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only the head is of interest
	return [2]string{resp.Status, resp.Header.Get("X-Cache")}
}

// TestGatewaysShareACache: what one gateway learned another one knows, and without Redis both go on.
func TestGatewaysShareACache(t *testing.T) {
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{Results: map[string]string{
		"tools/list": `{"resultType":"complete","ttlMs":60000,"cacheScope":"public","tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`,
	}})
	server := testkit.StartRedis(t)
	more := sharedCache(server.URL())
	one := start(t, configure(t, dataDir(t), upstream.URL()+"/mcp", more...))
	two := start(t, configure(t, dataDir(t), upstream.URL()+"/mcp", more...))

	got := [][2]string{listTools(t, one.Proxy), listTools(t, two.Proxy), listTools(t, one.Proxy)}
	asked := upstream.Calls()["tools/list"]
	server.Kill()

	want := [][2]string{{"200 OK", "MISS"}, {"200 OK", "HIT"}, {"200 OK", "HIT"}}
	if diff := cmp.Diff(want, got); diff != "" || asked != 1 {
		t.Errorf("the server was asked %d times, want 1; replies (-want +got):\n%s", asked, diff)
	}
	for _, g := range []*gateway{one, two} { // each may have it in memory until it has noticed
		if r := listTools(t, g.Proxy); r[0] != "200 OK" {
			t.Errorf("without Redis: %s, want 200", r[0])
		}
	}
}

// TestCacheOfHealth: the health report is kept, as each gateway's own; what says whether parts work now is not.
func TestCacheOfHealth(t *testing.T) {
	server := testkit.StartRedis(t)
	var got [][2]string
	for range 2 {
		g := start(t, configure(t, dataDir(t), "http://127.0.0.1:1/mcp", append(sharedCache(server.URL()), "environment: test")...))
		for _, path := range []string{"/health/", "/health/", "/health/ready", "/health/detailed", "/health/pools"} {
			got = append(got, [2]string{path, over(g.API, "").get(t, path).Header.Get("X-Cache")})
		}
	}
	want := [][2]string{
		{"/health/", "MISS"}, {"/health/", "HIT"}, {"/health/ready", "BYPASS"}, {"/health/detailed", "BYPASS"}, {"/health/pools", "BYPASS"},
	}
	if diff := cmp.Diff(append(want, want...), got); diff != "" {
		t.Errorf("X-Cache (-want +got):\n%s", diff)
	}
}

// purge asks a gateway over its local socket to forget.
func purge(t *testing.T, g *gateway, body string) (int, string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", g.Socket)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/api/v1/cache/invalidate", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestPurgeReachesEveryGateway: what one is told to forget all forget, and what cannot be reached is named and not served.
func TestPurgeReachesEveryGateway(t *testing.T) {
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{Results: map[string]string{
		"tools/list": `{"resultType":"complete","ttlMs":60000,"cacheScope":"public","tools":[]}`,
	}})
	server := testkit.StartRedis(t)
	more := sharedCache(server.URL())
	one := start(t, configure(t, dataDir(t), upstream.URL()+"/mcp", more...))
	two := start(t, configure(t, dataDir(t), upstream.URL()+"/mcp", more...))
	listTools(t, one.Proxy)
	listTools(t, two.Proxy)
	if keys := server.Do("EVAL", "return #redis.call('KEYS', 'cache:response:*')", "0"); keys != "1" {
		t.Errorf("redis-cli --scan --pattern 'cache:response:*' finds %s keys, want 1", keys)
	}
	for _, body := range []string{`{"scope":"all"}`, `{"scope":"servers"}`, `{"scope":"server","server":"desk"}`} {
		asked := upstream.Calls()["tools/list"]
		if status, text := purge(t, one, body); status != http.StatusOK {
			t.Fatalf("purge %s: %d %s", body, status, text)
		}
		// It is published before the answer; the other hears it at once, or a moment later.
		testkit.Eventually(t, "the other gateway asks again", func() bool {
			listTools(t, two.Proxy)
			return upstream.Calls()["tools/list"] > asked
		})
	}
	var stats struct{ Classes []struct{ Class string } }
	overSocket(one.Socket).get(t, "/api/v1/cache/stats").decode(t, &stats)
	for _, c := range stats.Classes {
		if c.Class == "cache.invalidate" {
			t.Error("a write is counted among the requests for which caching was considered")
		}
	}
	if status, _ := purge(t, one, `{"scope":"server","server":"unknown"}`); status != http.StatusNotFound {
		t.Errorf("purge of a server that is not there: %d, want 404", status)
	}
	server.Kill()
	status, text := purge(t, one, `{"scope":"all"}`)
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "L2, the shared cache") || !strings.Contains(text, "L1 of the other gateways") {
		t.Errorf("without Redis: %d %s, want 503 and the layers", status, text)
	}
	if got := listTools(t, one.Proxy); got != [2]string{"200 OK", "MISS"} {
		t.Errorf("while a purge is owed: %v", got)
	}
}
