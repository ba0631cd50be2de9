package transparent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/rig"
	"sark/internal/testkit"
)

// gatewayUser is the user that the documented rules exempt.
const gatewayUser = 65532

// The documented configuration.
const (
	gatewayListens = ":15001"
	localServer    = "http://127.0.0.1:9000/mcp"
)

// patience bounds every single wait.
const patience = 30 * time.Second

// The addresses of the two hosts; the documented rules for agents name that of the other one.
const (
	here   = "192.0.2.1"
	here6  = "2001:db8::1"
	other  = "192.0.2.2"
	other6 = "2001:db8::2"
)

// policy denies one tool.
const policy = `package sark

default decision := {"allow": true, "reason": "everything else", "rule": "rest"}

decision := {"allow": false, "reason": "nobody wipes", "rule": "no_wipe"} if input.tool.name == "wipe"
`

// world is two hosts with a wire between them, one of which has the gateway.
type world struct {
	t           *testing.T
	host, peer  *rig.Namespace
	gateway     *rig.Gateway
	echo, wiped atomic.Int64 // calls that reached the server
	forwarded   atomic.Int64 // requests of the gateway that reached the server
}

// newWorld makes the two hosts.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, host: namespace(t), peer: namespace(t)}
	w.run(w.host, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", w.peer.Path())
	for _, end := range []struct {
		at     *rig.Namespace
		v4, v6 string
	}{{w.host, here, here6}, {w.peer, other, other6}} {
		w.run(end.at, "ip", "addr", "add", end.v4+"/24", "dev", "eth0")
		w.run(end.at, "ip", "addr", "add", end.v6+"/64", "dev", "eth0", "nodad")
		w.run(end.at, "ip", "link", "set", "eth0", "up")
	}
	return w
}

// namespace makes a namespace. Where that cannot be done, or the kernel does not translate addresses there, the test is
// skipped and says so; in CI as root it fails.
func namespace(t *testing.T) *rig.Namespace {
	t.Helper()
	n, err := rig.NewNamespace(t.Context())
	if err == nil {
		_, err = n.Run(t.Context(), "table inet probe { chain c { type nat hook output priority -100; }; }; delete table inet probe", "nft", "-f", "-")
	}
	if err != nil && os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("NOT TESTED: transparent mode with real packet rules, for which root, ip and nft are needed: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (w *world) run(at *rig.Namespace, argv ...string) {
	w.t.Helper()
	w.pipe(at, "", argv...)
}

// pipe runs a command with an input.
func (w *world) pipe(at *rig.Namespace, stdin string, argv ...string) {
	w.t.Helper()
	if _, err := at.Run(w.t.Context(), stdin, argv...); err != nil {
		w.t.Fatal(err)
	}
}

// serve starts an MCP server of the official SDK on port 9000 of a host.
func (w *world) serve(at *rig.Namespace) {
	w.t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "files", Version: "1"}, nil)
	for name, calls := range map[string]*atomic.Int64{"echo": &w.echo, "wipe": &w.wiped} {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			calls.Add(1)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name}}}, nil, nil
		})
	}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	l, err := at.Listen(w.t.Context(), "tcp", ":9000")
	if err != nil {
		w.t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Sark-Exchange-Id") != "" {
			w.forwarded.Add(1)
		}
		handler.ServeHTTP(rw, r)
	}))
	_ = web.Listener.Close()
	web.Listener = l
	web.Start()
	w.t.Cleanup(web.Close)
}

// govern starts the gateway on the host, with the documented configuration but for the server's url.
func (w *world) govern(server string) {
	w.t.Helper()
	dir := w.t.TempDir()
	bundle := filepath.Join(dir, "policy")
	testkit.WriteFile(w.t, bundle, "policy.rego", []byte(policy))
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // else the gateway's user could not pass
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	var err error
	w.gateway, err = rig.StartGateway(ctx, rig.GatewayOptions{
		Binary: os.Args[0], Dir: dir, Upstream: server, Listen: gatewayListens, Log: w.t.Output(),
		Place: rig.Place{Namespace: w.host, UID: gatewayUser},
		Proxy: map[string]any{
			"mode": "redirect", "hidden_tools": "denied",
			"health": map[string]any{"interval": "100ms", "timeout": "1s", "failures": 1, "successes": 1},
		},
		Sections: map[string]any{
			"authn":     map[string]any{"anonymous": map[string]any{"allow": true, "roles": []string{"agent"}}},
			"authz":     map[string]any{"bundle": bundle},
			"audit":     map[string]any{"batch_interval": "5ms"},
			"http_pool": map[string]any{"keepalive": 0}, // so that every call needs the exemption
			"log":       map[string]any{"level": "error"},
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.leave)
}

// leave stops the gateway.
func (w *world) leave() {
	w.t.Helper()
	if err := w.gateway.Stop(); err != nil {
		w.t.Error(err)
	}
}

// connect connects the official client from a host. The caller closes the session.
func (w *world) connect(t *testing.T, from *rig.Namespace, endpoint string) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: endpoint, HTTPClient: rig.Place{Namespace: from}.Client(), DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// event is what the tests ask of the trail.
type event struct {
	Outcome    string `json:"outcome"`
	Rule       string `json:"rule"`
	ServerName string `json:"server_name"`
	ToolName   string `json:"tool_name"`
	IPAddress  string `json:"ip_address"`
	Error      string `json:"error_message"`
}

// events waits until the trail has n events of the kind that the query describes, and returns them, the newest first.
func (w *world) events(t *testing.T, n int, query url.Values) (found []event) {
	t.Helper()
	address := "http://" + w.gateway.API + "/api/v1/audit/events?" + query.Encode()
	testkit.Eventually(t, "events with "+query.Encode(), func() bool {
		resp, err := rig.Place{Namespace: w.host}.Client().Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		var page struct{ Items []event }
		if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d: %v", address, resp.StatusCode, err)
		}
		found = page.Items
		return len(found) >= n
	})
	return found
}

// awaitUp waits until the gateway has found out that the server is up, or that it is down.
func (w *world) awaitUp(t *testing.T, up bool) {
	t.Helper()
	want := fmt.Sprintf("\nsark_proxy_upstream_up{listener=\"proxy\",server=\"upstream\"} %d\n", map[bool]int{true: 1}[up])
	testkit.Eventually(t, strings.TrimSpace(want), func() bool {
		resp, err := rig.Place{Namespace: w.host}.Client().Get("http://" + w.gateway.Admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(text), want)
	})
}

// post sends a call of a tool from a host and returns status and body of the reply.
func (w *world) post(t *testing.T, from *rig.Namespace, endpoint string) (status int, body string) {
	t.Helper()
	const call = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := rig.Place{Namespace: from}.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
