package proxy_test

import (
	"net/netip"
	"strings"
	"testing"

	"sark/internal/testkit"
	"sark/proxy"
)

// believing makes a gateway trust proxies on loopback and in two more networks.
func believing(change func(*setup)) func(*setup) {
	return permissive(func(s *setup) {
		s.TrustedProxies = []string{"127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48"}
		if change != nil {
			change(s)
		}
	})
}

// TestForwardedFor sends lists, honest and hostile ones, through a trusted peer on loopback. The client's address is the
// last one that is not trusted; what stands before it goes no further.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	g := newGateway(t, believing(nil))
	c := g.Dial(t)
	for i, tt := range []struct {
		name    string
		lines   []string
		client  string
		forward string
	}{
		{"none", nil, "127.0.0.1", "127.0.0.1"},
		{"one", []string{"203.0.113.7"}, "203.0.113.7", "203.0.113.7, 127.0.0.1"},
		{"through one proxy", []string{"203.0.113.7, 10.1.2.3"}, "203.0.113.7", "203.0.113.7, 10.1.2.3, 127.0.0.1"},
		{"through two, in two lines", []string{"203.0.113.7,10.1.2.3", "10.4.5.6"}, "203.0.113.7", "203.0.113.7, 10.1.2.3, 10.4.5.6, 127.0.0.1"},
		{"invented before the client", []string{"127.0.0.1, 10.9.9.9, 203.0.113.7"}, "203.0.113.7", "203.0.113.7, 127.0.0.1"},
		{"invented in a line of its own", []string{"10.9.9.9", "203.0.113.7"}, "203.0.113.7", "203.0.113.7, 127.0.0.1"},
		{"all trusted", []string{"10.1.1.1, 10.2.2.2"}, "10.1.1.1", "10.1.1.1, 10.2.2.2, 127.0.0.1"},
		{"IPv6", []string{"2001:db8:ffff::1, 2001:db8:1::9"}, "2001:db8:ffff::1", "2001:db8:ffff::1, 2001:db8:1::9, 127.0.0.1"},
		{"IPv6 in brackets", []string{"[2001:db8:ffff::1]"}, "2001:db8:ffff::1", "2001:db8:ffff::1, 127.0.0.1"},
		{"with ports", []string{"[2001:db8:ffff::1]:4711, 10.1.2.3:80"}, "2001:db8:ffff::1", "2001:db8:ffff::1, 10.1.2.3, 127.0.0.1"},
		{"IPv4 as IPv6 is not another address", []string{"203.0.113.7, ::ffff:10.1.2.3"}, "203.0.113.7", "203.0.113.7, 10.1.2.3, 127.0.0.1"},
		{"a zone is none", []string{"203.0.113.7, 2001:db8:1::9%eth0"}, "203.0.113.7", "203.0.113.7, 2001:db8:1::9, 127.0.0.1"},
		{"empty entries", []string{" , 203.0.113.7,, ,"}, "203.0.113.7", "203.0.113.7, 127.0.0.1"},
		{"nothing but commas", []string{",,,"}, "127.0.0.1", "127.0.0.1"},
		{"garbage before the client", []string{"<script>, 203.0.113.7"}, "203.0.113.7", "203.0.113.7, 127.0.0.1"},
		{"garbage from a trusted proxy", []string{"203.0.113.7, unknown, 10.1.2.3"}, "10.1.2.3", "10.1.2.3, 127.0.0.1"},
		{"garbage alone", []string{"unknown"}, "127.0.0.1", "127.0.0.1"},
		{"an open bracket", []string{"[2001:db8::1"}, "127.0.0.1", "127.0.0.1"},
		{"a leading zero", []string{"010.1.2.3"}, "127.0.0.1", "127.0.0.1"},
		{"a short form", []string{"10.1"}, "127.0.0.1", "127.0.0.1"},
		{"a name", []string{"localhost"}, "127.0.0.1", "127.0.0.1"},
		{"in quotes", []string{`"203.0.113.7"`}, "127.0.0.1", "127.0.0.1"},
	} {
		var lines []string
		for _, l := range tt.lines {
			lines = append(lines, "X-Forwarded-For: "+l)
		}
		c.Post("/mcp", toolCall, append(lines, bearer("admin"))...)
		diff(t, tt.name+": status", 200, c.ReadReply().Status)
		diff(t, tt.name+": client", netip.MustParseAddr(tt.client).String(), g.AwaitEvents(t, i+1)[i].IP.String())
		diff(t, tt.name+": sent upstream", []string{tt.forward}, g.Upstream.Requests()[i].Header.Values("X-Forwarded-For"))
	}
}

// TestForwardedForLongList does not follow an endless list.
func TestForwardedForLongList(t *testing.T) {
	t.Parallel()
	g := newGateway(t, believing(nil))
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"), "X-Forwarded-For: 203.0.113.7"+strings.Repeat(", 10.1.1.1", 1000))
	diff(t, "status", 200, c.ReadReply().Status)
	diff(t, "client", "10.1.1.1", g.AwaitEvents(t, 1)[0].IP.String())
}

// origins are the fields by which a client could lie about where it is, or a server be lied to.
func origins() []string {
	return []string{
		"X-Forwarded-For: 10.0.0.1", "x-forwarded-proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /x",
		"X-Forwarded-Client-Cert: By=x", "X-Real-IP: 10.0.0.1", "Forwarded: for=10.0.0.1",
		"X_Forwarded_For: 10.0.0.1", "x-forwarded_host: evil.example", "X_SARK_PRINCIPAL: root", "X-Sark-Anything: x", "Mcp_Session_Id: stolen",
		"Content_Length: 5", "Expect: 100-continue",
	}
}

// names returns which of the given fields reached the upstream.
func reached(g *gateway, i int, fields []string) (got []string) {
	for _, f := range fields {
		name, _, _ := strings.Cut(f, ":")
		for _, v := range g.Upstream.Requests()[i].Header.Values(name) {
			got = append(got, name+": "+v)
		}
	}
	return got
}

// TestForwardedFromStrangers drops what anybody says of where it comes from.
func TestForwardedFromStrangers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*setup){
		"nobody is trusted":         permissive(nil),
		"somebody else is trusted":  permissive(func(s *setup) { s.TrustedProxies = []string{"10.0.0.0/8", "::1/128", "unix:"} }),
		"the peer as IPv6 is other": permissive(func(s *setup) { s.TrustedProxies = []string{"::ffff:10.0.0.0/104"} }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, change)
			c := g.Dial(t)
			c.Post("/mcp", toolCall, append(origins(), bearer("admin"), "X_Kept: 1")...)
			diff(t, "status", 200, c.ReadReply().Status)
			diff(t, "sent upstream", []string{"X-Forwarded-For: 127.0.0.1"}, reached(g, 0, origins()))
			diff(t, "other fields", []string{"X_Kept: 1"}, reached(g, 0, []string{"X_Kept:"}))
			diff(t, "client", "127.0.0.1", g.AwaitEvents(t, 1)[0].IP.String())
		})
	}
}

// TestForwardedFromProxies passes on what a trusted proxy says, apart from what would contradict our own list.
func TestForwardedFromProxies(t *testing.T) {
	t.Parallel()
	g := newGateway(t, believing(nil))
	c := g.Dial(t)
	c.Post("/mcp", toolCall, append(origins()[:8], bearer("admin"))...)
	diff(t, "status", 200, c.ReadReply().Status)
	want := []string{
		"X-Forwarded-For: 10.0.0.1, 127.0.0.1", "x-forwarded-proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /x",
		"X-Forwarded-Client-Cert: By=x",
	}
	diff(t, "sent upstream", want, reached(g, 0, origins()[:8]))
}

// TestForwardedClientIsDecided: policies and limits see the client behind a trusted proxy.
func TestForwardedClientIsDecided(t *testing.T) {
	t.Parallel()
	inner := `decision := {"allow": true} if startswith(input.request.client_ip, "203.0.113.") else := {"allow": false, "reason": "elsewhere"}`
	g := newGateway(t, func(s *setup) {
		withPolicy(inner, testkit.Patience)(t, s)
		s.TrustedProxies = []string{"127.0.0.1/32"}
		s.AuthFailures = slowLimiter(t) // one for each address
	})
	c := g.Dial(t)
	from := func(address, credential string) int {
		c.Post("/mcp", toolCall, credential, "X-Forwarded-For: "+address)
		return c.ReadReply().Status
	}
	diff(t, "from inside", 200, from("203.0.113.7", bearer("admin")))
	diff(t, "from elsewhere", 403, from("198.51.100.1", bearer("admin")))
	diff(t, "a refused credential", 401, from("198.51.100.1", "X-API-Key: wrong"))
	diff(t, "another one from there", 429, from("198.51.100.1", "X-API-Key: wrong"))
	diff(t, "the first one of another client", 401, from("198.51.100.2", "X-API-Key: wrong"))
}

func TestForwardedOptions(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10.0.0.1", "", "10.0.0.0/33", "unix"} {
		_, err := proxy.New(proxy.Options{
			Authenticator: newAuthenticator(t, false), Decider: allowAll(), Recorder: newTrail(),
			Servers: []proxy.ServerOptions{deskServer("http://127.0.0.1:9/mcp")}, TrustedProxies: []string{text},
		})
		if err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
