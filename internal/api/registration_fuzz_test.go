package api_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"testing"

	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/internal/admin"
	"sark/internal/api"
	"sark/internal/authn"
	"sark/internal/mcp"
	"sark/store"
	"sark/store/sqlite"
)

// shelf is a registry that keeps the last server, so that a fuzz run is not about a database.
type shelf struct {
	*sqlite.DB
	last *store.Server
}

func (s *shelf) CreateServers(_ context.Context, servers ...*store.Server) error {
	server := servers[0]
	server.ID = "01900000-0000-7000-8000-000000000001"
	s.last = server
	return nil
}

// FuzzRegistration sends any body to the registration handler. It never panics; it answers 201 or 422; and what it
// accepted keeps the rules that the registry, the router and the dialer rely on.
func FuzzRegistration(f *testing.F) {
	for _, body := range []string{
		`{"name":"crm","transport":"http","endpoint":"https://crm.example/mcp","tools":[{"name":"find","parameters":{}}]}`,
		`{"name":"local","transport":"stdio","command":"mcp","tools":[],"metadata":{"a":[1,null,"\ud83d\ude00"]}}`,
		`{"name":"x","transport":"sse","endpoint":"http://[::ffff:169.254.169.254]/","tools":[]}`,
		`{"name":"x","name":"y"}`,
		`{"NAME":"x","tools":[{"name":"a"},{"name":"a"}]}`,
		`[[[[[[[[`,
		`{"description":"\ud800"}`,
		``,
	} {
		f.Add([]byte(body))
	}
	health, err := admin.NewHealth(admin.HealthOptions{})
	if err != nil {
		f.Fatal(err)
	}
	registry := &shelf{}
	a, err := api.New(api.Options{Registry: registry, Audit: registry.DB, Rollups: registry.DB, Decider: &authz.Engine{}, Health: health})
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		registry.last = nil
		var request fasthttp.Request
		var response fasthttp.Response
		request.Header.SetContentType("application/json")
		request.SetBody(body)
		call := mcp.Call{Route: api.RouteServersCreate}

		a.Serve(t.Context(), authn.Caller{Principal: analyst()}, &call, &request, &response)

		if !json.Valid(response.Body()) {
			t.Errorf("the reply is no JSON: %q", response.Body())
		}
		switch code := response.StatusCode(); {
		case code == 422 && registry.last == nil:
		case code == 201 && registry.last != nil:
			checkServer(t, registry.last)
		default:
			t.Errorf("status %d, stored %v", code, registry.last)
		}
	})
}

// checkServer holds a stored server against the rules, in other words than the code's.
func checkServer(t *testing.T, s *store.Server) {
	t.Helper()
	if s.Name == "" || url.PathEscape(s.Name) != s.Name || s.OwnerID != "ada" || s.Signature != "" {
		t.Errorf("name %q, owner %q, signature %q", s.Name, s.OwnerID, s.Signature)
	}
	if !slices.Contains(store.Sensitivities(), s.SensitivityLevel) || !json.Valid(s.Metadata) {
		t.Errorf("level %q, metadata %q", s.SensitivityLevel, s.Metadata)
	}
	if s.Transport == "stdio" {
		if s.Command == "" || s.Endpoint != "" {
			t.Errorf("stdio with command %q and endpoint %q", s.Command, s.Endpoint)
		}
		return
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.User != nil || u.Hostname() == "" || s.Command != "" {
		t.Fatalf("%s with endpoint %q and command %q", s.Transport, s.Endpoint, s.Command)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.Unmap().IsLinkLocalUnicast() || ip.Unmap().IsUnspecified()) {
		t.Errorf("endpoint %q", s.Endpoint)
	}
}
