package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

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
	more := []string{"authn: {anonymous: {allow: true, roles: [admin]}}", "redis: {url: \"" + server.URL() + "\"}"}
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
