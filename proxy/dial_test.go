package proxy_test

import (
	"net/netip"
	"testing"

	"sark/internal/endpoint"
	"sark/internal/testkit"
	"sark/proxy"
)

// TestNetworksAtEachDial changes what may be connected to under a server whose URL stays: a name that leads elsewhere is
// looked at again when the next connection is made, by calls and by probes.
func TestNetworksAtEachDial(t *testing.T) {
	t.Parallel()
	loopback := endpoint.NewNetworks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})
	for _, test := range []struct {
		networks *endpoint.Networks
		want     int
	}{{loopback, 200}, {endpoint.NewNetworks(nil), 502}} {
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
