package app_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// TestDiscovery registers the example server with its tools, by asking it, and asks it again.
func TestDiscovery(t *testing.T) {
	dir := dataDir(t)
	g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp"), "SARK_API_DISCOVER_ENABLED=true", `SARK_PROXY_REGISTRY_ALLOWED_NETWORKS=["127.0.0.0/8"]`)
	admin := overSocket(g.Socket)
	made := admin.post(t, "/api/v1/servers/", `{"name":"example","transport":"http","endpoint":"`+example(t, false)+`","tools":[],"discover":true,"sensitivity_level":"high"}`)
	var reply struct {
		ID        string `json:"server_id"`
		Discovery struct {
			Status string
			Added  []string
		}
	}
	made.decode(t, &reply)
	if made.Status != 201 || reply.Discovery.Status != "ok" || len(reply.Discovery.Added) != 8 {
		t.Fatalf("%d %s", made.Status, made.Body)
	}
	var server struct {
		Tools []struct {
			Name      string
			Level     string `json:"sensitivity_level"`
			Suggested string `json:"suggested_sensitivity_level"`
		}
	}
	admin.get(t, "/api/v1/servers/"+reply.ID).decode(t, &server)
	got := map[string][]string{}
	for _, tool := range server.Tools {
		if tool.Name == "delete_customer" {
			got[tool.Name] = []string{tool.Level, tool.Suggested}
		}
	}
	if diff := cmp.Diff(map[string][]string{"delete_customer": {"high", "high"}}, got); diff != "" {
		t.Errorf("tool (-want +got):\n%s", diff)
	}
	again := admin.post(t, "/api/v1/servers/"+reply.ID+"/discover", "")
	const nothing = `{"status":"ok","added":[],"changed":[],"missing":[],"skipped":0}`
	if diff := cmp.Diff([]any{200, nothing}, []any{again.Status, again.Body}); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
}

// TestDiscoveryIsGuarded: what calls may not dial, discovery may not, and registration says which setting would allow it.
func TestDiscoveryIsGuarded(t *testing.T) {
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, registryFile(t, dataDir(t), ""), "SARK_API_DISCOVER_ENABLED=true")
	r := overSocket(g.Socket).post(t, "/api/v1/servers/", `{"name":"inside","transport":"http","endpoint":"`+upstream.URL()+`/mcp","tools":[],"discover":true}`)
	if r.Status != 422 || !strings.Contains(r.Body, "proxy.registry.allowed_networks") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if n := upstream.Conns().Accepted; n != 0 {
		t.Errorf("%d connections were made", n)
	}
}
