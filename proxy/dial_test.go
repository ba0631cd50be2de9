package proxy_test

import (
	"net/netip"
	"testing"

	"sark/internal/testkit"
	"sark/proxy"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		allowed []string
		address string
		want    bool
	}{
		{nil, "93.184.216.34", true},
		{nil, "10.1.2.3", true},
		{nil, "2606:2800:220:1::1", true},
		{nil, "127.0.0.1", false},
		{nil, "0.0.0.0", false},
		{nil, "::1", false},
		{nil, "::", false},
		{nil, "::ffff:127.0.0.1", false},
		{nil, "169.254.169.254", false},
		{nil, "::ffff:169.254.169.254", false},
		{nil, "64:ff9b::a9fe:a9fe", false},
		{nil, "fe80::1%eth0", false},
		{nil, "fd00:ec2::254", false},
		{nil, "100.100.100.200", false},
		{nil, "224.0.0.1", false},
		{nil, "255.255.255.255", false},
		{[]string{"10.0.0.0/8"}, "10.1.2.3", true},
		{[]string{"10.0.0.0/8"}, "::ffff:10.1.2.3", true},
		{[]string{"10.0.0.0/8"}, "93.184.216.34", false},
		{[]string{"0.0.0.0/0", "::/0"}, "169.254.169.254", false},
		{[]string{"0.0.0.0/0", "::/0"}, "::1", false},
		{[]string{"127.0.0.1/32"}, "127.0.0.1", true},
		{[]string{"127.0.0.1/32"}, "127.0.0.2", false},
		{[]string{"::1/128"}, "::1", true},
	} {
		var allowed []netip.Prefix
		for _, p := range test.allowed {
			allowed = append(allowed, netip.MustParsePrefix(p))
		}
		if got := proxy.NewNetworks(allowed).Allows(netip.MustParseAddr(test.address)); got != test.want {
			t.Errorf("allowed %v: %s is allowed: %t, want %t", test.allowed, test.address, got, test.want)
		}
	}
}

// TestNetworksAtEachDial changes what may be connected to under a server whose URL stays: a name that leads elsewhere is
// looked at again when the next connection is made, by calls and by probes.
func TestNetworksAtEachDial(t *testing.T) {
	t.Parallel()
	loopback := proxy.NewNetworks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})
	for _, test := range []struct {
		networks *proxy.Networks
		want     int
	}{{loopback, 200}, {proxy.NewNetworks(nil), 502}} {
		g := newGateway(t, permissive(func(s *setup) {
			s.Server = func(o *proxy.ServerOptions) { o.Upstream.Networks, o.Upstream.MaxIdle = test.networks, -1 }
		}))
		for range 2 { // nothing is kept, so the second call dials again
			c := g.Dial(t)
			c.Post("/mcp", toolCall, bearer("admin"))
			diff(t, "status", test.want, c.ReadReply().Status)
		}
		if test.want != 200 {
			diff(t, "connections", testkit.Conns{}, g.Upstream.Conns())
		}
	}
}
