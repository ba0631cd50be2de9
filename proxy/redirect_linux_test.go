package proxy_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

// Connections of these tests are diverted by nobody: their original destination is the address that was dialled, of which
// loopback has many. Packet rules are in internal/transparent.

// everywhere listens on every address of this machine, and returns the port too.
func everywhere(t *testing.T) (net.Listener, uint16) {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// at is a destination; "" stands for every address.
func at(host string, port uint16) netip.AddrPort {
	if host == "" {
		return netip.AddrPortFrom(netip.Addr{}, port)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(host), port)
}

// divertedRequests are those of redirect mode that lead to no server.
func divertedRequests() map[string]failure {
	return map[string]failure{
		"destination-unknown": {
			setup: func(t *testing.T, s *setup) {
				l, port := everywhere(t)
				s.On, s.Redirect = l, true
				s.Server = func(o *proxy.ServerOptions) { o.Destinations = []netip.AddrPort{at("127.0.0.1", port)} }
			},
			host: "127.0.0.2", closes: true,
		},
		"destination-loop": {by: loopedRequest},
	}
}

// loopedRequest has the gateway's own connection to a server led back to it, as without an exemption in the packet rules.
// The caller gets what the gateway said to itself.
func loopedRequest(t *testing.T) outcome {
	g := newGateway(t, func(s *setup) {
		s.On, s.Redirect = listen(t), true
		desk := deskServer("http://" + s.On.Addr().String() + "/mcp")
		desk.Destinations = []netip.AddrPort{netip.MustParseAddrPort(s.On.Addr().String())}
		s.Servers = []proxy.ServerOptions{desk}
	})
	c := g.Dial(t)
	c.Post("/mcp", allowedCall, bearer("analyst"))
	reply := c.ReadReply()
	events := g.AwaitEvents(t, 2)
	e := events[0]
	failure{}.checkRPC(t, reply.Body, &e)
	diff(t, "outer status", int32(508), events[1].StatusCode)
	if !strings.Contains(e.ErrorMessage, "exempt its user") {
		t.Errorf("the cause is %q", e.ErrorMessage)
	}
	return outcome{Status: reply.Status, Code: int(e.RPCCode), Rule: e.Rule, Outcome: e.Outcome}
}

// TestDestinationChoosesTheServer: what was dialled says which server is meant, an address before a port alone, and the
// path is the server's own. Two servers may share a destination.
func TestDestinationChoosesTheServer(t *testing.T) {
	t.Parallel()
	up := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	l, port := everywhere(t)
	g := newGateway(t, permissive(func(s *setup) {
		s.On, s.Redirect = l, true
		for _, server := range []struct{ name, path, host string }{
			{"any", "/mcp", ""}, {"one", "/mcp", "127.0.0.2"}, {"two", "/two/mcp", "127.0.0.2"},
		} {
			o := deskServer(up.URL() + server.path)
			o.Name, o.Destinations = server.name, []netip.AddrPort{at(server.host, port)}
			o.Passthrough = []string{"/" + server.name + "/docs"}
			s.Servers = append(s.Servers, o)
		}
	}))
	for i, tt := range []struct {
		host, path, server string
		status             int
	}{
		{"127.0.0.1", "/mcp", "any", 200},
		{"127.0.0.3", "/mcp", "any", 200},
		{"127.0.0.2", "/mcp", "one", 200},
		{"127.0.0.2", "/two/mcp", "two", 200},
		{"127.0.0.2", "/any/docs", "", 404}, // that of a port does not shine through
		{"127.0.0.1", "/two/mcp", "", 404},
		{"127.0.0.1", "/any/mcp", "", 404}, // the path of reverse mode
	} {
		c := g.DialHost(t, tt.host)
		c.Post(tt.path, allowedCall, bearer("analyst"))
		what := fmt.Sprintf("%s%s", tt.host, tt.path)
		diff(t, what, tt.status, c.ReadReply().Status)
		diff(t, what, tt.server, g.AwaitEvents(t, i+1)[i].ServerName)
	}
}

// TestDestinationUnknownNamesIt: the event tells what was dialled.
func TestDestinationUnknownNamesIt(t *testing.T) {
	t.Parallel()
	l, port := everywhere(t)
	g := newGateway(t, func(s *setup) {
		s.On, s.Redirect = l, true
		s.Server = func(o *proxy.ServerOptions) { o.Destinations = []netip.AddrPort{at("127.0.0.1", port)} }
	})
	c := g.DialHost(t, "127.0.0.2")
	c.Post("/mcp", allowedCall)
	diff(t, "status", 421, c.ReadReply().Status)
	diff(t, "cause", fmt.Sprintf("the client dialled 127.0.0.2:%d", port), g.AwaitEvents(t, 1)[0].ErrorMessage)
}

// TestDestinationIsRequired: a server that nobody can dial is a mistake, and so is one that another hides.
func TestDestinationIsRequired(t *testing.T) {
	t.Parallel()
	desk, other := deskServer("http://127.0.0.1:9/mcp"), deskServer("http://127.0.0.1:9/mcp")
	other.Name, other.Destinations = "other", []netip.AddrPort{at("", 9000)}
	same := desk
	same.Destinations = other.Destinations
	for _, servers := range [][]proxy.ServerOptions{{desk}, {same, other}} {
		h, err := proxy.New(proxy.Options{
			Authenticator: newAuthenticator(t, false), Decider: allowAll(), Recorder: newTrail(), Redirect: true, Servers: servers,
		})
		if err == nil {
			h.Close()
			t.Errorf("%+v was accepted", servers)
		}
	}
}

// TestDestinationSurvivesReload: connections that are open when the table changes are still known as the gateway's own, and
// new destinations count for them at once.
func TestDestinationSurvivesReload(t *testing.T) {
	t.Parallel()
	l, port := everywhere(t)
	g := newGateway(t, permissive(func(s *setup) {
		s.On, s.Redirect = l, true
		s.Server = func(o *proxy.ServerOptions) { o.Destinations = []netip.AddrPort{at("127.0.0.1", port)} }
	}))
	c := g.DialHost(t, "127.0.0.1")
	c.Post("/mcp", allowedCall, bearer("analyst"))
	diff(t, "before", 200, c.ReadReply().Status)
	o := g.options
	o.Servers = append([]proxy.ServerOptions(nil), o.Servers...)
	o.Servers[0].Destinations = []netip.AddrPort{at("127.0.0.2", port)}
	diff(t, "reload", error(nil), g.handler.Reload(o))
	c.Post("/mcp", allowedCall, bearer("analyst"))
	diff(t, "after", 421, c.ReadReply().Status)
	moved := g.DialHost(t, "127.0.0.2")
	moved.Post("/mcp", allowedCall, bearer("analyst"))
	diff(t, "moved", 200, moved.ReadReply().Status)
	diff(t, "outcome", audit.OutcomeDenied, g.AwaitEvents(t, 2)[1].Outcome)
}

// TestDestinationHost: the Host header is held against what was dialled, not against where the rules led.
func TestDestinationHost(t *testing.T) {
	t.Parallel()
	l, port := everywhere(t)
	g := newGateway(t, permissive(func(s *setup) {
		s.On, s.Redirect = l, true
		s.Server = func(o *proxy.ServerOptions) { o.Destinations = []netip.AddrPort{at("", port)} }
	}))
	c := g.DialHost(t, "127.0.0.1")
	c.Write(testkit.FormatRequest("POST", "/mcp", "evil.example", allowedCall, "Content-Type: application/json", bearer("analyst")))
	diff(t, "rebound", 403, c.ReadReply().Status)
	c.Write(testkit.FormatRequest("POST", "/mcp", "localhost", allowedCall, "Content-Type: application/json", bearer("analyst")))
	diff(t, "local", 200, c.ReadReply().Status)
}

// TestDestinationBehindTLS: what wraps a connection does not hide what was dialled.
func TestDestinationBehindTLS(t *testing.T) {
	t.Parallel()
	authority := testkit.NewAuthority(t)
	l, port := everywhere(t)
	newGateway(t, permissive(func(s *setup) {
		s.On, s.Redirect = l, true
		s.Server = func(o *proxy.ServerOptions) { o.Destinations = []netip.AddrPort{at("127.0.0.2", port)} }
		s.Listener.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, nil).Pair(t)}, MinVersion: tls.VersionTLS12}
	}))
	client := &tls.Config{RootCAs: authority.Pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	for host, want := range map[string]int{"127.0.0.1": 421, "127.0.0.2": 200} {
		c := testkit.DialTLS(t, at(host, port).String(), client)
		c.Post("/mcp", allowedCall, bearer("analyst"))
		diff(t, host, want, c.ReadReply().Status)
	}
}

// TestDestinationProbed: a probe that packet rules lead back to the gateway finds somebody who accepts. That is the gateway,
// and the server is down.
func TestDestinationProbed(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{proxy.ProbeConnect, proxy.ProbePing} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			told := make(chan proxy.ServerHealth, 16) // a change of the test's own each
			g := newGateway(t, func(s *setup) {
				s.On, s.Redirect = listen(t), true
				s.OnHealth = func(h proxy.ServerHealth) { told <- h }
				desk := deskServer("http://" + s.On.Addr().String() + "/mcp")
				desk.Destinations = []netip.AddrPort{netip.MustParseAddrPort(s.On.Addr().String())}
				desk.Upstream.Health = proxy.HealthOptions{Interval: 10 * time.Millisecond, Probe: probe, Failures: 2}
				s.Servers = []proxy.ServerOptions{desk}
			})
			probing(t, g)
			down := testkit.Wait(t, 0, told)
			if down.Up || down.Err == nil || !strings.Contains(down.Err.Error(), "exempt its user") {
				t.Errorf("told %+v", down)
			}
			up := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
			g.reload(t, func(o *proxy.Options) {
				o.Servers[0].URL, o.Servers[0].State = up.URL()+"/mcp", proxy.ServerUnhealthy
			})
			if h := testkit.Wait(t, 0, told); !h.Up {
				t.Errorf("told %+v of a server that is elsewhere", h)
			}
		})
	}
}

// TestDestinationBehindProxy: a PROXY header tells who the client is. Whom it has dialled the kernel knows better: what the
// header says of that chooses nothing.
func TestDestinationBehindProxy(t *testing.T) {
	t.Parallel()
	l, port := everywhere(t)
	g := newGateway(t, permissive(func(s *setup) {
		behindProxy("127.0.0.0/8")(s)
		s.On, s.Redirect = l, true
		s.Server = func(o *proxy.ServerOptions) { o.Destinations = []netip.AddrPort{at("127.0.0.2", port)} }
	}))
	for i, tt := range []struct {
		dialled, named string
		status         int
	}{{"127.0.0.2", "127.0.0.1", 200}, {"127.0.0.1", "127.0.0.2", 421}} {
		c := g.DialHost(t, tt.dialled)
		c.Write(fmt.Sprintf("PROXY TCP4 203.0.113.7 %s 50000 %d\r\n", tt.named, port))
		c.Post("/mcp", allowedCall, bearer("analyst"))
		diff(t, tt.dialled, tt.status, c.ReadReply().Status)
		diff(t, "address", "203.0.113.7", g.AwaitEvents(t, i+1)[i].IP.String())
	}
}

// TestDestinationLoopBehindProxy: the gateway's own connection has no PROXY header, and is known all the same when it comes
// back from an address of which headers are expected.
func TestDestinationLoopBehindProxy(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) {
		behindProxy("127.0.0.0/8")(s)
		s.On, s.Redirect = listen(t), true
		desk := deskServer("http://" + s.On.Addr().String() + "/mcp")
		desk.Destinations = []netip.AddrPort{netip.MustParseAddrPort(s.On.Addr().String())}
		s.Servers = []proxy.ServerOptions{desk}
	})
	c := g.Dial(t)
	c.Write("PROXY TCP4 203.0.113.7 127.0.0.1 50000 9000\r\n")
	c.Post("/mcp", allowedCall, bearer("analyst"))
	diff(t, "status", 508, c.ReadReply().Status)
	events := g.AwaitEvents(t, 2)
	diff(t, "rule", "loop", events[0].Rule)
	diff(t, "addresses", []string{"127.0.0.1", "203.0.113.7"}, addresses(events))
}
