package transparent_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/rig"
)

// client is somebody who dials the server, and whom the trail must name.
type client struct {
	name     string
	from     *rig.Namespace
	dials    string
	recorded string
}

// clients are all ways to the server of the host.
func (w *world) clients() []client {
	return []client{
		{"other host", w.peer, here, other},
		{"other host IPv6", w.peer, here6, other6},
		{"this host", w.host, "127.0.0.1", "127.0.0.1"},
		{"this host IPv6", w.host, "::1", "::1"},
		{"own address", w.host, here, here},
	}
}

// TestTransparent goes every way to a server on the gateway's host, under the documented rules.
func TestTransparent(t *testing.T) {
	t.Parallel()
	rules := readRules(t)
	for name, load := range map[string]func(*world){
		"nft":      func(w *world) { w.pipe(w.host, rules.nft, "nft", "-f", "-") },
		"iptables": func(w *world) { w.run(w.host, "sh", "-ec", rules.iptables) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve(w.host)
			load(w)
			w.refused(t) // before the gateway is there
			w.govern(localServer)
			for _, c := range w.clients() {
				t.Run(c.name, func(t *testing.T) { w.governs(t, c) })
			}
			t.Run("gateway's own port", func(t *testing.T) { w.misses(t, here+":15001", 1) })
			if name == "nft" {
				t.Run("unknown destination", func(t *testing.T) {
					w.run(w.host, "nft", "add element inet sark servers { 9001 }")
					w.misses(t, here+":9001", 2)
				})
			}
			w.leave()
			w.refused(t)
			if n := w.wiped.Load(); n != 0 {
				t.Errorf("%d denied calls have reached the server", n)
			}
		})
	}
}

// governs makes an allowed and a denied call, and finds both in the trail under the right server and client.
func (w *world) governs(t *testing.T, c client) {
	reached, forwarded := w.echo.Load(), w.forwarded.Load()
	session := w.connect(t, c.from, "http://"+net.JoinHostPort(c.dials, "9000")+"/mcp")
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo"})
	if err != nil || result.IsError {
		t.Errorf("allowed call: %+v, %v", result, err)
	}
	if _, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "wipe"}); err == nil || !strings.Contains(err.Error(), "nobody wipes") {
		t.Errorf("denied call: %v", err)
	}
	if err := session.Close(); err != nil {
		t.Errorf("close the session: %v", err)
	}
	if n := w.echo.Load() - reached; n != 1 || w.forwarded.Load() == forwarded {
		t.Errorf("%d calls have reached the server, through the gateway: %t", n, w.forwarded.Load() > forwarded)
	}
	for tool, want := range map[string]event{
		"echo": {Outcome: "allowed", Rule: "rest", ServerName: "upstream", ToolName: "echo", IPAddress: c.recorded},
		"wipe": {Outcome: "denied", Rule: "no_wipe", ServerName: "upstream", ToolName: "wipe", IPAddress: c.recorded},
	} {
		got := w.events(t, 1, url.Values{"tool": {tool}, "ip_address": {c.recorded}})
		if d := cmp.Diff(want, got[0]); d != "" {
			t.Errorf("event of %s (-want +got):\n%s", tool, d)
		}
	}
}

// misses dials what is no server's, for the nth time.
func (w *world) misses(t *testing.T, address string, n int) {
	reached := w.echo.Load()
	status, body := w.post(t, w.peer, "http://"+address+"/mcp")
	if status != 421 || !strings.Contains(body, `"id":7`) || !strings.Contains(body, `"rule":"destination"`) {
		t.Errorf("status %d: %s", status, body)
	}
	want := event{Outcome: "denied", Rule: "destination", IPAddress: other, Error: "the client dialled " + address}
	got := w.events(t, n, url.Values{"rule": {"destination"}})
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
	if w.echo.Load() != reached {
		t.Error("the call has reached the server")
	}
}

// refused dials every address of the server while there are rules and no gateway.
func (w *world) refused(t *testing.T) {
	t.Helper()
	for _, c := range w.clients() {
		conn, err := c.from.Dial(t.Context(), "tcp", net.JoinHostPort(c.dials, "9000"))
		if err == nil {
			_ = conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: the connection ended with %v, want it to be refused", c.name, err)
		}
	}
}

// TestTransparentAgents governs what agents on the gateway's host do with a server elsewhere. Rules that do not exempt the
// gateway end in a loop, which is refused and said.
func TestTransparentAgents(t *testing.T) {
	t.Parallel()
	rules := readRules(t)
	w := newWorld(t)
	w.serve(w.peer)
	w.govern("http://" + other + ":9000/mcp")

	w.pipe(w.host, without(t, rules.agents, "skuid"), "nft", "-f", "-")
	w.awaitUp(t, false) // although connections to it open: they are the gateway's own
	status, body := w.post(t, w.host, "http://"+other+":9000/mcp")
	if status != 508 || !strings.Contains(body, `"id":7`) || !strings.Contains(body, `"rule":"loop"`) {
		t.Errorf("status %d: %s", status, body)
	}
	if got := w.events(t, 1, url.Values{"rule": {"loop"}})[0]; got.Outcome != "error" || !strings.Contains(got.Error, "exempt its user") {
		t.Errorf("event of the loop: %+v", got)
	}
	if n := w.echo.Load(); n != 0 {
		t.Errorf("%d calls have reached the server", n)
	}

	w.pipe(w.host, "flush ruleset\n"+rules.agents, "nft", "-f", "-")
	w.awaitUp(t, true)
	w.governs(t, client{"agent", w.host, other, here})
	w.leave()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if conn, err := w.host.Dial(ctx, "tcp", other+":9000"); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			_ = conn.Close()
		}
		t.Errorf("without a gateway the connection ended with %v, want it to be refused", err)
	}
}
