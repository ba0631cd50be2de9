package proxy_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/internal/testkit"
	"sark/proxy"
)

// reload changes the options of a running gateway.
func (g *gateway) reload(t testing.TB, change func(*proxy.Options)) {
	t.Helper()
	o := g.options
	o.Servers = slices.Clone(o.Servers)
	change(&o)
	if err := g.handler.Reload(o); err != nil {
		t.Fatal(err)
	}
	g.options = o
}

// TestReloadSwapsEverything changes servers, tools and hosts at once, and brings a broken table that changes nothing.
func TestReloadSwapsEverything(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	other := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	status := func(path, host string) int {
		c := g.Dial(t)
		c.Write(testkit.FormatRequest("POST", path, host, allowedCall, bearer("analyst"), "Content-Type: application/json"))
		return c.ReadReply().Status
	}
	before := []int{status("/desk/mcp", "localhost"), status("/mcp", "localhost"), status("/other/mcp", "localhost")}
	g.reload(t, func(o *proxy.Options) {
		next := deskServer(other.URL() + "/mcp")
		next.Name = "other"
		o.Servers = []proxy.ServerOptions{o.Servers[0], next}
		o.Servers[0].Tools = []authz.Tool{{Name: "echo", SensitivityLevel: "critical"}}
		o.AllowedHosts = []string{"gateway.example"}
	})
	after := []int{
		status("/desk/mcp", "gateway.example"), status("/mcp", "gateway.example"), status("/other/mcp", "gateway.example"),
		status("/desk/mcp", "elsewhere.example"),
	}
	broken := g.options
	broken.Servers = []proxy.ServerOptions{{Name: "desk", URL: "ftp://nowhere"}}
	if err := g.handler.Reload(broken); err == nil {
		t.Error("a broken table was put in force")
	}

	if diff := cmp.Diff([]int{200, 200, 404}, before); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{403, 404, 200, 403}, after); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	diff(t, "after the broken one", 200, status("/other/mcp", "gateway.example"))
}

// TestReloadKeepsConnections: a server that is reached as before keeps its connections, and one that is not loses them as
// their exchanges end.
func TestReloadKeepsConnections(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Upstream.IdleTimeout = testkit.Patience }
	}))
	call := func(c *testkit.RawClient) {
		c.Post("/mcp", toolCall, bearer("admin"))
		diff(t, "status", 200, c.ReadReply().Status)
	}
	c := g.Dial(t)
	call(c)
	g.reload(t, func(o *proxy.Options) { o.Servers[0].SensitivityLevel = "high" })
	call(c)
	diff(t, "kept", testkit.Conns{Accepted: 1, Open: 1}, withoutIdle(g.Upstream.Conns()))

	entered, release := make(chan struct{}), make(chan struct{})
	g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) {
		entered <- struct{}{}
		<-release
		x.JSON(200, m.Answer(`{"content":[]}`))
	})
	c.Post("/mcp", toolCall, bearer("admin"))
	testkit.Wait(t, 0, entered)
	g.reload(t, func(o *proxy.Options) { o.Servers[0].Upstream.MaxConns = 7 })
	diff(t, "while it is in use", 1, g.Upstream.Conns().Open)
	close(release)
	diff(t, "the call under way", 200, c.ReadReply().Status)
	g.Upstream.AwaitConns(t, func(c testkit.Conns) bool { return c.Open == 0 })
}

func withoutIdle(c testkit.Conns) testkit.Conns {
	c.Idle = 0
	return c
}

// TestReloadUnderLoad reloads again and again while clients call over connections that stay, between two ways to reach two
// servers: every call is answered, and by a server of its table.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, reloads = 8, 50
	g := newGateway(t, permissive(nil))
	other := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	stop := make(chan struct{})
	answered := make(chan struct{})      // without room: an answer that nobody waits for is not told
	failed := make(chan string, clients) // each client fails once at most
	var all sync.WaitGroup
	made := make([]int, clients)
	for i := range clients {
		c := g.Dial(t)
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c.Post("/mcp", toolCall, bearer("admin"))
				if r := c.ReadReply(); r.Status != 200 || r.Err != nil {
					failed <- fmt.Sprintf("call %d of client %d: %d %s %v", made[i], i, r.Status, r.Body, r.Err)
					return
				}
				made[i]++
				select {
				case answered <- struct{}{}:
				default:
				}
			}
		})
	}
	for n := range reloads {
		testkit.Wait(t, 0, answered) // so that there are calls between reloads
		g.reload(t, func(o *proxy.Options) {
			o.Servers[0].URL = []string{g.Upstream.URL(), other.URL()}[n%2] + "/mcp"
			o.Servers[0].Upstream.MaxConns = 50 + n%3
		})
	}
	close(stop)
	all.Wait()
	close(failed)
	for f := range failed {
		t.Error(f)
	}
	for i, n := range made {
		if n == 0 {
			t.Errorf("client %d made no call", i)
		}
	}
}

// TestProbes follows the health of a server that goes away and comes back, for each kind of probe.
func TestProbes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		probe string
		seen  int // requests at the server, at least
	}{{proxy.ProbeGet, 1}, {proxy.ProbePing, 1}, {proxy.ProbeConnect, 0}} {
		t.Run(test.probe, func(t *testing.T) {
			t.Parallel()
			told := make(chan proxy.ServerHealth, 16)
			g := newGateway(t, permissive(func(s *setup) {
				s.OnHealth = func(h proxy.ServerHealth) {
					select {
					case told <- h:
					default: // it is told again until the server's state says the same, which here happens late or never
					}
				}
				s.Server = func(o *proxy.ServerOptions) {
					o.Upstream.Health = proxy.HealthOptions{Interval: 10 * time.Millisecond, Probe: test.probe, Path: "/healthz", Failures: 2}
				}
			}))
			probing(t, g)
			g.Upstream.AwaitConns(t, func(c testkit.Conns) bool { return c.Accepted >= 2 })
			diff(t, "up", true, g.handler.Health()[0].Up)
			nowhere := nobodyListens(t)
			here := g.options.Servers[0].URL
			g.reload(t, func(o *proxy.Options) { o.Servers[0].URL = nowhere })
			down := testkit.Wait(t, 0, told)
			g.reload(t, func(o *proxy.Options) { o.Servers[0].URL, o.Servers[0].State = here, proxy.ServerUnhealthy })
			up := testkit.Wait(t, 0, told)
			for !up.Up { // told before the reload
				up = testkit.Wait(t, 0, told)
			}
			if down.Up || down.Err == nil || up.Err != nil {
				t.Errorf("told %+v, then %+v", down, up)
			}
			requests := g.Upstream.AwaitRequests(t, test.seen)
			if test.seen == 0 && len(requests) > 0 {
				t.Errorf("a probe that only connects sent %+v", requests[0])
			}
			for _, r := range requests {
				if r.Header.Has("Authorization") || r.Header.Has("Mcp-Session-Id") {
					t.Errorf("a probe sent %v", r.Header)
				}
			}
		})
	}
}

// TestProbesThatFail counts answers of 500 and more.
func TestProbesThatFail(t *testing.T) {
	t.Parallel()
	told := make(chan proxy.ServerHealth, 1)
	g := newGateway(t, permissive(func(s *setup) {
		s.OnHealth = func(h proxy.ServerHealth) {
			select {
			case told <- h:
			default: // what comes later is no news
			}
		}
		s.Server = func(o *proxy.ServerOptions) {
			o.Upstream.Health = proxy.HealthOptions{Interval: 10 * time.Millisecond, Probe: proxy.ProbeGet}
		}
	}))
	g.Upstream.Handle(func(x *testkit.Exchange) { x.Reply(500, "") })
	probing(t, g)
	if h := testkit.Wait(t, 0, told); h.Up {
		t.Errorf("told %+v", h)
	}
	diff(t, "metric", 0.0, g.Metric(t, "sark_proxy_upstream_up"))
}

// probing runs the probes of a gateway until the test ends.
func probing(t *testing.T, g *gateway) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.handler.Probe(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}
