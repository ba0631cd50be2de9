package proxy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
	"sark/internal/limit"
	"sark/internal/testkit"
	"sark/proxy"
)

// both applies several changes to a setup.
func both(t *testing.T, changes ...func(*testing.T, *setup)) func(*setup) {
	return func(s *setup) {
		for _, c := range changes {
			c(t, s)
		}
	}
}

// caller sends calls to a gateway, each on a connection of its own, and returns the status and the RateLimit field.
func caller(t *testing.T, g *gateway) func(role, path, body string) [2]any {
	return func(role, path, body string) [2]any {
		c := g.Dial(t)
		c.Post(path, body, bearer(role))
		r := c.ReadReply()
		return [2]any{r.Status, r.Header.Value("RateLimit")}
	}
}

const (
	callEcho = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}`
	callWipe = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe"}}`
	ping     = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
)

// allowEverything is a policy without demands.
const allowEverything = `decision := {"allow": true}`

// TestLimitsCount: what each limit counts, and that the tightest is told and a refusal by one spends from none.
func TestLimitsCount(t *testing.T) {
	g := newGateway(t, both(t, withPolicy(allowEverything, 0), limited(proxy.Rates{Principal: hourly(4), Server: hourly(6), Tool: hourly(2)})))
	call := caller(t, g)

	got := [][2]any{
		call("admin", "/mcp", callEcho), call("admin", "/mcp", callEcho),
		call("admin", "/mcp", callEcho), // over its tool's
		call("admin", "/mcp", callWipe), // another tool
		call("admin", "/mcp", ping),
		call("admin", "/mcp", ping), // over its own
		call("analyst", "/mcp", callEcho),
		call("analyst", "/desk/mcp", ping),
		call("viewer", "/mcp", ping), // over everybody's
	}

	want := [][2]any{
		{200, `"tool";r=1;t=1800`},
		{200, `"tool";r=0;t=3600`},
		{429, `"tool";r=0;t=3600`},
		{200, `"principal";r=1;t=2700`},
		{200, `"principal";r=0;t=3600`},
		{429, `"principal";r=0;t=3600`},
		{200, `"server";r=1;t=3000`},
		{200, `"server";r=0;t=3600`},
		{429, `"server";r=0;t=3600`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status and RateLimit (-want +got):\n%s", diff)
	}
}

// TestServerHasItsOwnLimit overrides the limit of all servers.
func TestServerHasItsOwnLimit(t *testing.T) {
	g := newGateway(t, both(t, withPolicy(allowEverything, 0), limited(proxy.Rates{Server: hourly(100)}), func(_ *testing.T, s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Rate = hourly(1) }
	}))
	call := caller(t, g)

	got := [][2]any{call("admin", "/mcp", ping), call("analyst", "/mcp", ping)}

	want := [][2]any{{200, `"server";r=0;t=3600`}, {429, `"server";r=0;t=3600`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status and RateLimit (-want +got):\n%s", diff)
	}
}

// TestPolicyLimits: a policy's limit counts beside those of the configuration, and with the same limit of other rules.
func TestPolicyLimits(t *testing.T) {
	const policy = `decision := {"allow": true, "obligations": {"limit": {"key": "tool", "rate": 1, "period": 3600}}} if input.action == "tool:invoke"
else := {"allow": true, "obligations": {"limit": {"rate": 2, "period": 3600, "burst": 2}}} if input.mcp.method == "ping"
else := {"allow": true}`
	g := newGateway(t, both(t, withPolicy(policy, 0), limited(proxy.Rates{Principal: hourly(5)})))
	call := caller(t, g)

	got := [][2]any{
		call("admin", "/mcp", callEcho), call("admin", "/mcp", callEcho), call("admin", "/mcp", callWipe), call("analyst", "/mcp", callEcho),
		call("admin", "/mcp", ping), call("admin", "/mcp", ping), call("admin", "/mcp", ping),
	}

	const policys = `"policy";r=0;t=3600`
	want := [][2]any{
		{200, policys},
		{429, policys},
		{200, policys},
		{200, policys},
		{200, `"policy";r=1;t=1800`},
		{200, policys},
		{429, policys},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status and RateLimit (-want +got):\n%s", diff)
	}
}

// TestUnfulfillableLimits: a limit that counts what a request does not have, or at an impossible rate, is a deny.
func TestUnfulfillableLimits(t *testing.T) {
	for demand, body := range map[string]string{
		`{"key": "tool", "rate": 1, "period": 60}`:         ping,
		`{"key": "tool", "rate": 10000000, "period": 1}`:   callEcho,
		`{"rate": 1, "period": 86400, "burst": 366}`:       callEcho,
		`{"rate": 1, "period": 0.0000001}`:                 callEcho,
		`{"key": "everything", "rate": 1, "period": 3600}`: callEcho,
	} {
		g := newGateway(t, both(t, withPolicy(`decision := {"allow": true, "obligations": {"limit": `+demand+`}}`, 0), limited(proxy.Rates{})))

		got := caller(t, g)("admin", "/mcp", body)

		e := g.AwaitEvents(t, 1)[0]
		if got[0] != 403 || e.Reason != "obligation_unfulfilled" || len(g.Upstream.Calls()) > 0 {
			t.Errorf("%s: status %v, reason %q, upstream got %v", demand, got[0], e.Reason, g.Upstream.Calls())
		}
	}
}

// TestWhatSpendsNothing: denied calls and answers from cache are free.
func TestWhatSpendsNothing(t *testing.T) {
	const policy = `decision := {"allow": false} if input.tool.name == "wipe" else := {"allow": true}`
	g := newGateway(t, both(t, withPolicy(policy, 0), limited(proxy.Rates{Principal: hourly(2)}), func(t *testing.T, s *setup) {
		c, err := cachemw.New(cachemw.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		s.Cache = c
		s.MCP.Results = map[string]string{"tools/list": `{"resultType":"complete","ttlMs":60000,"cacheScope":"public","tools":[]}`}
	}))
	list := func() [2]any {
		c := g.Dial(t)
		postModern(c, "admin", "1", "tools/list", "")
		r := c.ReadReply()
		return [2]any{r.Status, r.Header.Value("RateLimit")}
	}
	call := caller(t, g)

	got := [][2]any{list(), list(), list(), call("admin", "/mcp", callWipe), call("admin", "/mcp", callWipe), call("admin", "/mcp", ping), call("admin", "/mcp", ping)}

	want := [][2]any{
		{200, `"principal";r=1;t=1800`},
		{200, ""},
		{200, ""},
		{403, ""},
		{403, ""},
		{200, `"principal";r=0;t=3600`},
		{429, `"principal";r=0;t=3600`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status and RateLimit (-want +got):\n%s", diff)
	}
}

// TestUpstreamLimitsAreKept: RateLimit is a list, in which the server's own items stay.
func TestUpstreamLimitsAreKept(t *testing.T) {
	g := newGateway(t, both(t, withPolicy(allowEverything, 0), limited(proxy.Rates{Principal: hourly(2)})))
	g.Upstream.On("ping", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, m.Answer(`{}`), `RateLimit: "own";r=9;t=1`, `RateLimit-Policy: "own";q=10;w=1`)
	})
	c := g.Dial(t)
	c.Post("/mcp", ping, bearer("admin"))
	r := c.ReadReply()

	got := [][]string{r.Header.Values("RateLimit"), r.Header.Values("RateLimit-Policy")}

	want := [][]string{{`"own";r=9;t=1`, `"principal";r=1;t=1800`}, {`"own";q=10;w=1`, `"principal";q=2;w=3600`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("RateLimit and RateLimit-Policy (-want +got):\n%s", diff)
	}
}

func BenchmarkCallLimited(b *testing.B) {
	c, err := limit.NewCounter(limit.CounterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	fast, err := limit.NewRate(60_000_000, 60e9, 1_000_000)
	if err != nil {
		b.Fatal(err)
	}
	addr := benchGateway(b, benchUpstream(b, replyJSON()), func(o *proxy.Options) {
		o.Limiter, o.Rates = c, proxy.Rates{Principal: fast, Server: fast, Tool: fast}
	})
	benchmark(b, addr, callRequest(addr))
}
