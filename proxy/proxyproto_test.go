package proxy_test

import (
	"crypto/tls"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// behindProxy is a gateway that expects PROXY headers of a network.
func behindProxy(network string) func(*setup) {
	return func(s *setup) { s.Listener.ProxyProtocol = []string{network} }
}

// addresses are where the recorded requests came from.
func addresses(events []audit.Event) (all []string) {
	for i := range events {
		all = append(all, events[i].IP.String())
	}
	return all
}

const v2 = "\r\n\r\n\x00\r\nQUIT\n"

func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	v4 := "\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\xc3\x50\x01\xbb"
	tests := map[string]struct{ header, want string }{
		"version 1":                {"PROXY TCP4 203.0.113.7 10.0.0.1 50000 443\r\n", "203.0.113.7"},
		"version 1, IPv6":          {"PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n", "2001:db8::7"},
		"version 1, unknown":       {"PROXY UNKNOWN\r\n", "127.0.0.1"},
		"version 2":                {v2 + v4, "203.0.113.7"},
		"version 2, notes":         {v2 + strings.Replace(v4, "\x0c", "\x11", 1) + "\x04\x00\x02hi", "203.0.113.7"},
		"version 2, of the proxy":  {v2 + "\x20\x00\x00\x00", "127.0.0.1"},
		"version 2, a unix socket": {v2 + "\x21\x31\x00\xd8" + strings.Repeat("\x00", 216), "127.0.0.1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, behindProxy("127.0.0.0/8"))
			c := g.Dial(t)
			for i := range len(tt.header) - 1 { // a proxy that dribbles
				c.Write(tt.header[i : i+1])
			}
			c.Write(tt.header[len(tt.header)-1:] + request(g, "/mcp", "Host: {host}"))
			diff(t, "status", 200, c.ReadReply().Status)
			c.Post("/mcp", allowedCall, bearer("analyst"))
			diff(t, "status of the next", 200, c.ReadReply().Status)
			diff(t, "addresses", []string{tt.want, tt.want}, addresses(g.AwaitEvents(t, 2)))
		})
	}
}

func TestProxyProtocolRefused(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"none":                  "",
		"two spaces":            "PROXY TCP4  203.0.113.7 10.0.0.1 50000 443\r\n",
		"no port":               "PROXY TCP4 203.0.113.7 10.0.0.1 50000\r\n",
		"port with a zero":      "PROXY TCP4 203.0.113.7 10.0.0.1 050000 443\r\n",
		"port too large":        "PROXY TCP4 203.0.113.7 10.0.0.1 70000 443\r\n",
		"another family":        "PROXY TCP4 2001:db8::7 2001:db8::1 50000 443\r\n",
		"a zone":                "PROXY TCP6 fe80::1%eth0 ::1 50000 443\r\n",
		"UDP":                   "PROXY UDP4 203.0.113.7 10.0.0.1 50000 443\r\n",
		"bare line feed":        "PROXY TCP4 203.0.113.7 10.0.0.1 50000 443\n",
		"too long":              "PROXY UNKNOWN " + strings.Repeat("a", 100) + "\r\n",
		"version 3":             v2 + "\x31\x11\x00\x0c" + strings.Repeat("\x01", 12),
		"another command":       v2 + "\x22\x11\x00\x0c" + strings.Repeat("\x01", 12),
		"UDP in version 2":      v2 + "\x21\x12\x00\x0c" + strings.Repeat("\x01", 12),
		"short addresses":       v2 + "\x21\x11\x00\x08" + strings.Repeat("\x01", 8),
		"too long in version 2": v2 + "\x21\x11\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, behindProxy("127.0.0.0/8"))
			c := g.Dial(t)
			c.Write(header + request(g, "/mcp", "Host: {host}"))
			diff(t, "reply", "", c.AwaitClosed())
			diff(t, "events", 0, len(g.Events()))
			diff(t, "counted", 1.0, g.Metric(t, "sark_proxy_proxy_header_failures_total"))
		})
	}
}

// TestProxyProtocolOfStrangers: who is not trusted says nothing of itself, and needs no header.
func TestProxyProtocolOfStrangers(t *testing.T) {
	t.Parallel()
	g := newGateway(t, behindProxy("192.0.2.0/24"))
	c := g.Dial(t)
	c.Write("PROXY TCP4 203.0.113.7 10.0.0.1 50000 443\r\n" + request(g, "/mcp", "Host: {host}"))
	diff(t, "status", 400, c.ReadReply().Status)
	c = g.Dial(t)
	c.Write(request(g, "/mcp", "Host: {host}"))
	diff(t, "status", 200, c.ReadReply().Status)
	diff(t, "addresses", []string{"127.0.0.1", "127.0.0.1"}, addresses(g.AwaitEvents(t, 2)))
}

// TestProxyProtocolSilence: the time for a request is that for its PROXY header too.
func TestProxyProtocolSilence(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) {
		behindProxy("127.0.0.0/8")(s)
		s.Listener.ReadTimeout = 100 * time.Millisecond
	})
	c := g.Dial(t)
	c.Write("PROXY TCP4 203")
	diff(t, "reply", "", c.AwaitClosed())
}

// TestProxyProtocolClientLeaves: that a client leaves is seen behind a PROXY header too, with TLS and without.
func TestProxyProtocolClientLeaves(t *testing.T) {
	t.Parallel()
	for _, under := range []string{"plain", "TLS"} {
		t.Run(under, func(t *testing.T) {
			t.Parallel()
			ca := testkit.NewAuthority(t)
			g := newGateway(t, func(s *setup) {
				if under == "TLS" {
					secure(t, ca, new(atomic.Pointer[tls.Config]), nil, nil)(s)
				}
				permissive(behindProxy("127.0.0.0/8"))(s)
			})
			gone := make(chan struct{})
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
				<-x.ClientGone()
				close(gone)
			})
			c, err := net.Dial("tcp", g.Addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("PROXY TCP4 203.0.113.7 10.0.0.1 50000 443\r\n")); err != nil {
				t.Fatal(err)
			}
			if under == "TLS" {
				c = tls.Client(c, clientTLS(g))
			}
			if _, err := c.Write([]byte(request(g, "/mcp", "Host: {host}"))); err != nil {
				t.Fatal(err)
			}
			g.Upstream.AwaitRequests(t, 1)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			testkit.Wait(t, 0, gone)
			diff(t, "addresses", []string{"203.0.113.7"}, addresses(g.AwaitEvents(t, 1)))
		})
	}
}

// clientTLS is how a client speaks TLS to the gateway over a connection of its own.
func clientTLS(g *gateway) *tls.Config {
	c := g.client.Clone()
	c.ServerName = "127.0.0.1"
	return c
}
