package endpoint_test

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"sark/internal/endpoint"
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
		{[]string{"64:ff9b::/96"}, "64:ff9b::a01:203", true},
		{[]string{"64:ff9b::/96"}, "64:ff9b::a9fe:a9fe", false}, // what NAT64 leads to has to be allowed, too
		{[]string{"64:ff9b::/96", "169.254.169.254/32"}, "64:ff9b::a9fe:a9fe", true},
		{[]string{"2002::/16"}, "2002:7f00:1::1", false},
	} {
		var allowed []netip.Prefix
		for _, p := range test.allowed {
			allowed = append(allowed, netip.MustParsePrefix(p))
		}
		if got := endpoint.NewNetworks(allowed).Allows(netip.MustParseAddr(test.address)); got != test.want {
			t.Errorf("allowed %v: %s is allowed: %t, want %t", test.allowed, test.address, got, test.want)
		}
	}
}

func TestControl(t *testing.T) {
	for address, allowed := range map[string]bool{
		"10.0.0.1:443": true, "192.0.2.1:1": true, "[2001:db8::1]:1": true, "127.0.0.1:80": false, "[::1]:80": false,
		"169.254.169.254:80": false, "[fe80::1]:80": false, "[fe80::1%eth0]:80": false, "0.0.0.0:80": false, "[::]:80": false,
		"224.0.0.1:80": false, "[::ffff:169.254.169.254]:80": false, "[64:ff9b::a9fe:a9fe]:80": false, "[fd00:ec2::254]:80": false,
		"100.100.100.200:80": false, "metadata:80": false, "": false,
	} {
		err := endpoint.NewNetworks(nil).Control("tcp", address, nil)
		if (err == nil) != allowed || (err != nil && !errors.Is(err, endpoint.ErrRefused)) {
			t.Errorf("%s: error %v, want allowed %v", address, err, allowed)
		}
	}
}

// TestCheckNamesTheSetting: whoever registers a server on this host is told what would allow it.
func TestCheckNamesTheSetting(t *testing.T) {
	loopback := endpoint.NewNetworks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	for _, at := range []string{"http://127.0.0.1:9000/mcp", "http://localhost:9000/mcp", "http://a.LOCALHOST./"} {
		if err := loopback.Check(at); err != nil {
			t.Errorf("%s with loopback allowed: %v", at, err)
		}
		if err := endpoint.NewNetworks(nil).Check(at); err == nil || !strings.Contains(err.Error(), "proxy.registry.allowed_networks") {
			t.Errorf("%s: error %v", at, err)
		}
	}
}

// FuzzCheck holds Check to Control: an address that is written in an accepted URL is one that may be dialled.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:9000/mcp", "https://crm.example/mcp?x=1", "http://[::ffff:169.254.169.254]/", "http://0xa9fea9fe/",
		"http://a.example:0/", "http://[fe80::1%25eth0]/", "http://user@a/", "gopher://a", "http://a#b", "http://1.2.3.4.", "",
	} {
		f.Add(seed)
	}
	networks := endpoint.NewNetworks(nil)
	f.Fuzz(func(t *testing.T, text string) {
		if networks.Check(text) != nil {
			return
		}
		host := hostOf(t, text)
		if net.ParseIP(host) == nil {
			return // a name
		}
		if err := networks.Control("tcp", net.JoinHostPort(host, "80"), nil); err != nil {
			t.Errorf("%q is accepted and may not be dialled: %v", text, err)
		}
	})
}

func hostOf(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("%q is accepted and is no URL: %v", text, err)
	}
	return u.Hostname()
}
