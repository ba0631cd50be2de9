package proxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// These tests are inside the package because only what becomes of an endpoint can be seen from outside.

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]endpoint{
		"http://a.example/mcp":             {"tcp", "a.example:80", "", "a.example", "/mcp", "/mcp"},
		"http://a.example:9000/mcp?k=v&l":  {"tcp", "a.example:9000", "", "a.example:9000", "/mcp", "/mcp?k=v&l"},
		"http://[::1]:9000/":               {"tcp", "[::1]:9000", "", "[::1]:9000", "/", "/"},
		"http://[::1]":                     {"tcp", "[::1]:80", "", "[::1]", "/", "/"},
		"https://a.example/a%2Fb":          {"tcp", "a.example:443", "a.example", "a.example", "/a%2Fb", "/a%2Fb"},
		"https://a.example:8443":           {"tcp", "a.example:8443", "a.example", "a.example:8443", "/", "/"},
		"https://[::1]:8443/mcp":           {"tcp", "[::1]:8443", "::1", "[::1]:8443", "/mcp", "/mcp"},
		"unix:///run/mcp.sock:/mcp":        {"unix", "/run/mcp.sock", "", "localhost", "/mcp", "/mcp"},
		"unix:/run/mcp.sock:/mcp?k=v":      {"unix", "/run/mcp.sock", "", "localhost", "/mcp", "/mcp?k=v"},
		"unix:///run/mcp.sock":             {"unix", "/run/mcp.sock", "", "localhost", "/", "/"},
		"unix:///run/mcp.sock:":            {"unix", "/run/mcp.sock", "", "localhost", "/", "/"},
		"unix:///run/my%20mcp.sock:/a%2Fb": {"unix", "/run/my mcp.sock", "", "localhost", "/a%2Fb", "/a%2Fb"},
		"unix:///run/mcp.sock:/mcp:1":      {"unix", "/run/mcp.sock", "", "localhost", "/mcp:1", "/mcp:1"},
	} {
		got, err := parseEndpoint(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(endpoint{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
	for _, text := range []string{"", "a.example/mcp", "ftp://a/mcp", "http:///mcp", "http://:80/mcp", "unix://run/mcp.sock:/mcp", "unix:run:/mcp", "unix:///run/a.sock:mcp", "http://a b/"} {
		if e, err := parseEndpoint(text); err == nil {
			t.Errorf("%q was read as %+v", text, e)
		}
	}
}
