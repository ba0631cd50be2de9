package endpoint_test

import (
	"errors"
	"net"
	"net/url"
	"testing"

	"sark/internal/endpoint"
)

func TestControl(t *testing.T) {
	for address, allowed := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "10.0.0.1:443": true, "192.0.2.1:1": true, "[2001:db8::1]:1": true,
		"169.254.169.254:80": false, "[fe80::1]:80": false, "[fe80::1%eth0]:80": false, "0.0.0.0:80": false, "[::]:80": false,
		"224.0.0.1:80": false, "[::ffff:169.254.169.254]:80": false, "[64:ff9b::a9fe:a9fe]:80": false, "[fd00:ec2::254]:80": false,
		"100.100.100.200:80": false, "metadata:80": false, "": false,
	} {
		err := endpoint.Control("tcp", address, nil)
		if (err == nil) != allowed || (err != nil && !errors.Is(err, endpoint.ErrRefused)) {
			t.Errorf("%s: error %v, want allowed %v", address, err, allowed)
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
	f.Fuzz(func(t *testing.T, text string) {
		if endpoint.Check(text) != nil {
			return
		}
		host := hostOf(t, text)
		if net.ParseIP(host) == nil {
			return // a name
		}
		if err := endpoint.Control("tcp", net.JoinHostPort(host, "80"), nil); err != nil {
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
