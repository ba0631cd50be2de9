package app_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/sqlite"
)

// await asks again and again until the status is there: what changes by polling takes its time.
func (c caller) await(t *testing.T, path, body string, status int) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := c.try(ctx, "POST", path, body)
		if err == nil && r.Status == status {
			return r
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("POST %s answers %d %s (%v), want %d", path, r.Status, r.Body, err, status)
		}
	}
}

// registryFile is a configuration without servers.
func registryFile(t *testing.T, dir, networks string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sark.yaml")
	text := "data_dir: " + dir + `
proxy:
  listen: 127.0.0.1:0
  registry: {interval: 50ms, allowed_networks: [` + networks + `]}
  health: {interval: 100ms, failures: 1, successes: 1}
api: {listen: "127.0.0.1:0"}
admin: {listen: "off"}
log: {level: error}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRegistryIsServed registers servers beside a running gateway, as another replica does, and calls them: active ones
// answer, one of transport stdio gets 501, others are unknown. Then one goes away and its status with it.
func TestRegistryIsServed(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, registryFile(t, dir, `"127.0.0.0/8"`))
	db, key := openStore(t, dir), newKey(t, dir, "admin")
	add := func(name, transport, status, endpoint string) store.Server {
		s := store.Server{
			Name: name, Transport: transport, Endpoint: endpoint, Command: "run", Status: status, SensitivityLevel: "low",
			Tools: []store.Tool{{Name: "echo", SensitivityLevel: "low"}},
		}
		if err := db.CreateServers(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	add("idle", "http", "registered", upstream.URL()+"/mcp")
	add("odd name", "http", "active", upstream.URL()+"/mcp")
	add("broken", "http", "active", "ftp://nowhere")
	add("process", "stdio", "active", "")
	first := add("there", "http", "active", upstream.URL()+"/mcp")
	c := over(g.Proxy, key)
	c.await(t, "/there/mcp", toolCall("echo"), 200)
	c.await(t, "/process/mcp", toolCall("echo"), 501)
	for _, path := range []string{"/idle/mcp", "/broken/mcp", "/mcp"} {
		if r := c.post(t, path, toolCall("echo")); r.Status != 404 {
			t.Errorf("%s answers %d %s", path, r.Status, r.Body)
		}
	}
	lost := add("lost", "http", "active", nobody(t)+"/mcp")
	if r := c.await(t, "/lost/mcp", toolCall("echo"), 503); !strings.Contains(r.Body, "server_unhealthy") && !strings.Contains(r.Body, "breaker_open") {
		t.Errorf("a server that is down answers %s", r.Body)
	}
	awaitStatus(t, db, lost.ID, "unhealthy")
	there, err := db.BareServer(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	there.Status = "inactive"
	if err := db.UpdateServers(t.Context(), &there); err != nil {
		t.Fatal(err)
	}
	c.await(t, "/there/mcp", toolCall("echo"), 404)
}

// TestRegistryIsGuarded registers a server on loopback where no network is allowed.
func TestRegistryIsGuarded(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, registryFile(t, dir, ""))
	s := store.Server{Name: "inside", Transport: "http", Endpoint: upstream.URL() + "/mcp", Status: "active", SensitivityLevel: "low"}
	db := openStore(t, dir)
	if err := db.CreateServers(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, db, s.ID, "unhealthy") // its probes are guarded as its calls are
	over(g.Proxy, newKey(t, dir, "admin")).await(t, "/inside/mcp", toolCall("echo"), 503)
	if n := upstream.Conns().Accepted; n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// awaitStatus waits for a server's status in the registry.
func awaitStatus(t *testing.T, db *sqlite.DB, id, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := db.Server(ctx, id)
		if err == nil && s.Status == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the status is %q (%v), want %q", s.Status, err, want)
		}
	}
}

// nobody is an address at which connections are refused.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was accepted
	return "http://" + l.Addr().String()
}
