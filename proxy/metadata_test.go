package proxy_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"sark/proxy"
)

// TestMetadataResource: the identifier of a resource is the configured one, else it is made of the public address, else one
// of those that tokens are accepted for. Host never makes one.
func TestMetadataResource(t *testing.T) {
	t.Parallel()
	const root = "/.well-known/oauth-protected-resource"
	two := func(s *setup) {
		desk, docs := deskServer("http://127.0.0.1:9/mcp"), deskServer("http://127.0.0.1:9/mcp")
		docs.Name, docs.Resource = "docs", "https://docs.example/mcp"
		s.Servers = []proxy.ServerOptions{desk, docs}
	}
	for _, tt := range []struct {
		name   string
		change func(*setup)
		host   string
		want   map[string]string // by path
	}{
		{"audiences", nil, "localhost", map[string]string{
			root: "https://a.example/mcp", root + "/mcp": "https://a.example/mcp", root + "/desk/mcp": "https://a.example/mcp",
		}},
		{"the audience that was dialled", nil, "b.example", map[string]string{
			root: "https://a.example/mcp", root + "/mcp": "https://a.example/mcp", root + "/desk/mcp": "http://b.example/desk/mcp",
		}},
		{"public address", func(s *setup) { s.PublicURL = "https://mcp.example/" }, "evil.example", map[string]string{
			root: "https://mcp.example", root + "/mcp": "https://mcp.example/mcp", root + "/desk/mcp": "https://mcp.example/desk/mcp",
		}},
		{"public address with a path", func(s *setup) { s.PublicURL = "https://mcp.example/sark" }, "localhost", map[string]string{
			root: "https://mcp.example/sark", root + "/mcp": "https://mcp.example/sark/mcp",
		}},
		{"resource of the only server", func(s *setup) {
			s.PublicURL = "https://mcp.example"
			s.Server = func(o *proxy.ServerOptions) { o.Resource = "https://desk.example/" }
		}, "localhost", map[string]string{
			root: "https://desk.example/", root + "/mcp": "https://desk.example/", root + "/desk/mcp": "https://desk.example/",
		}},
		{"two servers", func(s *setup) { two(s); s.PublicURL = "https://mcp.example" }, "localhost", map[string]string{
			root: "https://mcp.example", root + "/desk/mcp": "https://mcp.example/desk/mcp", root + "/docs/mcp": "https://docs.example/mcp",
			root + "/mcp": "",
		}},
		{"two servers without a public address", two, "localhost", map[string]string{
			root: "https://a.example/mcp", root + "/desk/mcp": "https://a.example/mcp", root + "/docs/mcp": "https://docs.example/mcp",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) {
				s.Resources = []string{"https://a.example/mcp", "http://b.example/desk/mcp"}
				s.AuthorizationServers, s.AllowedHosts = []string{"https://idp.example"}, []string{"*"}
				if tt.change != nil {
					tt.change(s)
				}
			})
			for path, want := range tt.want {
				c := g.Dial(t)
				c.Write("GET " + path + " HTTP/1.1\r\nHost: " + tt.host + "\r\n\r\n")
				var got struct{ Resource string }
				r := c.ReadReply()
				if err := json.Unmarshal([]byte(r.Body), &got); err != nil || (r.Status == 200) != (want != "") {
					t.Errorf("%s: status %d: %s", path, r.Status, r.Body)
				}
				diff(t, path, want, got.Resource)
			}
		})
	}
}

// TestMetadataForTheOfficialClient goes the way of the official client: from a refused call over its challenge to the
// metadata, whose resource must be the very URL that it dialled.
func TestMetadataForTheOfficialClient(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) {
		s.Resources, s.AuthorizationServers = []string{"https://elsewhere.example/mcp"}, []string{"https://idp.example"}
		s.On = listen(t)
		s.PublicURL = "http://" + s.On.Addr().String()
	})
	for _, endpoint := range []string{g.URL + "/mcp", g.URL + "/desk/mcp"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		client := &http.Client{Transport: transport}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		challenges, err := oauthex.ParseWWWAuthenticate(resp.Header.Values("WWW-Authenticate"))
		if err != nil || len(challenges) != 1 {
			t.Fatalf("challenges %v, error %v", challenges, err)
		}
		found, err := oauthex.GetProtectedResourceMetadata(t.Context(), challenges[0].Params["resource_metadata"], endpoint, client)
		if err != nil {
			t.Errorf("%s: %v", endpoint, err)
			continue
		}
		diff(t, "authorization servers", []string{"https://idp.example"}, found.AuthorizationServers)
	}
}

// TestChallengePublicURL names the public address, whatever Host says, and the scheme that a trusted proxy saw where there
// is none.
func TestChallengePublicURL(t *testing.T) {
	t.Parallel()
	tokens := func(s *setup) {
		s.Resources, s.AuthorizationServers = []string{"https://a.example/mcp"}, []string{"https://idp.example"}
		s.AllowedHosts = []string{"*"}
	}
	for name, tt := range map[string]struct {
		change func(*setup)
		want   string
	}{
		"public address": {func(s *setup) { s.PublicURL = "https://mcp.example/sark/" }, "https://mcp.example/sark/.well-known/oauth-protected-resource/mcp"},
		"trusted proxy":  {func(s *setup) { s.TrustedProxies = []string{"127.0.0.1/32"} }, "https://inner.example/.well-known/oauth-protected-resource/mcp"},
		"stranger":       {func(*setup) {}, "http://inner.example/.well-known/oauth-protected-resource/mcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) { tokens(s); tt.change(s) })
			c := g.Dial(t)
			c.Write("POST /mcp HTTP/1.1\r\nHost: inner.example\r\nX-Forwarded-Proto: https\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
			diff(t, "challenge", `Bearer resource_metadata="`+tt.want+`"`, c.ReadReply().Header.Value("WWW-Authenticate"))
		})
	}
}
