package proxy_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sark/internal/testkit"
	"sark/proxy"
)

// mirroring is the result of tools/list of a server whose tool echo has its argument repeated in Mcp-Param-Region.
func mirroring(argument string) string {
	return fmt.Sprintf(`{"tools":[{"name":"echo","inputSchema":{"type":"object","properties":{%q:{"type":"string","x-mcp-header":"Region"}}}}],"ttlMs":0,"cacheScope":"private","resultType":"complete"}`, argument)
}

// mirrorsGateway stands before a server whose list of tools is what tools holds, and begins at clock.
func mirrorsGateway(t *testing.T, sse bool, tools *atomic.Value, clock *atomic.Int64) *gateway {
	t.Helper()
	g := newGateway(t, func(s *setup) {
		s.MCP.SSE = sse
		s.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	})
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		g.Upstream.Send(x, m.Answer(tools.Load().(string)))
	})
	return g
}

func listed(t *testing.T, c *testkit.RawClient) {
	t.Helper()
	postModern(c, "analyst", "1", "tools/list", "")
	if r := c.ReadReply(); r.Status != 200 {
		t.Fatalf("tools/list: %d %s", r.Status, r.Body)
	}
}

// region calls echo in the region eu with Mcp-Param-Region as given and returns the status.
func region(t *testing.T, c *testkit.RawClient, value string) int {
	t.Helper()
	postModern(c, "analyst", `"call-1"`, "tools/call", `"name":"echo","arguments":{"region":"eu"}`, "Mcp-Name: echo", "mcp-param-REGION: "+value)
	r := c.ReadReply()
	if r.Status != 200 && (!strings.Contains(r.Body, `"code":-32020`) || !strings.Contains(r.Body, `"id":"call-1"`)) {
		t.Errorf("the refusal is %s", r.Body)
	}
	return r.Status
}

// TestMirrors: a header that repeats an argument is held against it once a list of the server's tools has said so, and as
// long as that is not old news.
func TestMirrors(t *testing.T) {
	for _, sse := range []bool{false, true} {
		t.Run(fmt.Sprintf("sse %t", sse), func(t *testing.T) {
			var tools atomic.Value
			var clock atomic.Int64
			clock.Store(1_800_000_000)
			tools.Store(mirroring("region"))
			g := mirrorsGateway(t, sse, &tools, &clock)
			c := g.Dial(t)
			check := func(when string, good, bad int) {
				t.Helper()
				diff(t, when, []int{good, bad}, []int{region(t, c, "=?base64?ZXU=?="), region(t, c, "us")})
			}
			check("before any list", 200, 200)
			listed(t, c)
			check("after a list", 200, 400)
			tools.Store(mirroring("place"))
			listed(t, c)
			check("after the header has moved to an argument that is absent", 400, 400)
			tools.Store(`{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`)
			listed(t, c)
			check("after the tool has none", 200, 200)
			tools.Store(mirroring("region"))
			listed(t, c)
			clock.Add(int64(10*time.Minute/time.Second) - 1)
			check("before the list is old", 200, 400)
			clock.Add(1)
			check("when the list is old", 200, 200)
		})
	}
}

// TestMirrorsEndWithTheirList: a server that says that its tools have changed is believed.
func TestMirrorsEndWithTheirList(t *testing.T) {
	var tools atomic.Value
	var clock atomic.Int64
	tools.Store(mirroring("region"))
	g := mirrorsGateway(t, false, &tools, &clock)
	c := g.Dial(t)
	listed(t, c)
	if got := region(t, c, "us"); got != 400 {
		t.Fatalf("status %d before the change", got)
	}
	g.Upstream.On("tools/call wipe", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		x.Event(m.Answer(`{"content":[]}`))
	})
	postModern(c, "admin", "2", "tools/call", `"name":"wipe"`, "Mcp-Name: wipe")
	if r := c.ReadReply(); r.Status != 200 {
		t.Fatalf("wipe: %d %s", r.Status, r.Body)
	}
	if got := region(t, c, "us"); got != 200 {
		t.Errorf("status %d after the change", got)
	}
}

// TestMirrorsAreOfOneServer: what one server says of its tools means nothing for the tools of another, and a new generation
// of the handler knows what the old one knew.
func TestMirrorsAreOfOneServer(t *testing.T) {
	var tools atomic.Value
	tools.Store(mirroring("place"))
	one, other := testkit.NewMCPUpstream(t, testkit.MCPOptions{}), testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	one.On("tools/list", func(x *testkit.Exchange, m testkit.Message) { one.Send(x, m.Answer(tools.Load().(string))) })
	g := newGateway(t, func(s *setup) {
		s.Servers = []proxy.ServerOptions{deskServer(one.URL() + "/mcp"), deskServer(other.URL() + "/mcp")}
		s.Servers[1].Name = "other"
	})
	at := func(server, method, params string, lines ...string) int {
		c := g.Dial(t)
		defer c.Close()
		const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
		c.Post("/"+server+"/mcp", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}}`, method, params, meta),
			append(lines, bearer("analyst"), "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: "+method)...)
		return c.ReadReply().Status
	}
	call := func(server string) int {
		return at(server, "tools/call", `"name":"echo","arguments":{"region":"eu"},`, "Mcp-Name: echo", "Mcp-Param-Region: eu")
	}
	diff(t, "lists", []int{200, 200}, []int{at("desk", "tools/list", ""), at("other", "tools/list", "")})
	diff(t, "calls", []int{400, 200}, []int{call("desk"), call("other")})
	if err := g.handler.Reload(g.options); err != nil {
		t.Fatal(err)
	}
	diff(t, "calls after a reload", []int{400, 200}, []int{call("desk"), call("other")})
}
