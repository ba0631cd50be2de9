package configs_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/configs"
)

// TestDialled: a destination follows from the url unless destinations are listed.
func TestDialled(t *testing.T) {
	any := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, port) }
	for _, tt := range []struct {
		url    string
		listed []string
		want   []netip.AddrPort
	}{
		{"http://127.0.0.1:9000/mcp", nil, []netip.AddrPort{any(9000)}},
		{"http://[::1]:9000/mcp", nil, []netip.AddrPort{any(9000)}},
		{"https://localhost/mcp", nil, []netip.AddrPort{any(443)}},
		{"http://10.0.0.5/mcp", nil, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.5:80")}},
		{"http://[fd00::5]:9000/mcp", nil, []netip.AddrPort{netip.MustParseAddrPort("[fd00::5]:9000")}},
		{"http://mcp.internal/mcp", []string{":9000", "[::ffff:10.0.0.5]:80"}, []netip.AddrPort{any(9000), netip.MustParseAddrPort("10.0.0.5:80")}},
	} {
		got, err := configs.Server{URL: tt.url, Destinations: tt.listed}.Dialled()
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
		}
		if d := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.url, d)
		}
	}
}
