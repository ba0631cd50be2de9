package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/internal/admin"
	"sark/internal/api"
	"sark/internal/mcp"
	"sark/store/sqlite"
)

// router returns an API for tests that only route.
func router(t testing.TB) *api.API {
	t.Helper()
	health, err := admin.NewHealth(admin.HealthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := api.New(api.Options{Registry: &sqlite.DB{}, Audit: &sqlite.DB{}, Rollups: &sqlite.DB{}, Decider: &authz.Engine{}, Health: health})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRoute(t *testing.T) {
	read := func(route, action, resource, name string) mcp.Call {
		return mcp.Call{Kind: mcp.Plain, Route: route, Action: action, ResourceType: resource, Name: name, ReadOnly: true}
	}
	list := read("servers.list", "server:read", "server", "")
	create := mcp.Call{Kind: mcp.Plain, Route: "servers.create", Action: "server:register", ResourceType: "server"}
	evaluate := read("policy.evaluate", "policy:evaluate", "policy", "")
	with := func(call mcp.Call, resource, name, arguments string) mcp.Call {
		call.ResourceType, call.Name = resource, name
		if arguments != "" {
			call.Arguments = []byte(arguments)
		}
		return call
	}
	write := func(route, action string) mcp.Call { return mcp.Call{Kind: mcp.Plain, Route: route, Action: action} }
	cases := []struct {
		method, path, body string
		want               mcp.Call
		status             int
	}{
		{"GET", "/api/v1/servers/", "", list, 0},
		{"GET", "/api/v1/servers", "", list, 0},
		{"HEAD", "/api/v1/servers", "", list, 0},
		{"POST", "/api/v1/servers/", "", create, 0},
		{"POST", "/api/v1/servers", `{"name":"crm"}`, with(create, "server", "crm", `{"name":"crm"}`), 0},
		{"POST", "/api/v1/servers", `{"name":"crm","name":"b"}`, create, 0},
		{"POST", "/api/v1/servers", `["name"]`, create, 0},
		{"POST", "/api/v1/servers", `{"name":"crm"} x`, create, 0},
		{"GET", "/api/v1/servers/x1", "", read("servers.get", "server:read", "server", "x1"), 0},
		{"GET", "/api/v1/servers/x1/", "", read("servers.get", "server:read", "server", "x1"), 0},
		{
			"GET", "/api/v1/servers/019AB000-0000-7000-8000-00000000000A", "",
			read("servers.get", "server:read", "server", "019ab000-0000-7000-8000-00000000000a"), 0,
		},
		{"POST", "/api/v1/policy/evaluate", "", evaluate, 0},
		{"GET", "/api/v1/policy/list", "", read("policy.list", "policy:read", "policy", ""), 0},
		{"POST", "/api/v1/policy/validate", "", read("policy.validate", "policy:validate", "policy", ""), 0},
		{"GET", "/api/v1/policy/explain/x1", "", read("policy.explain", "audit:read", "decision", "x1"), 0},
		{"POST", "/api/v1/gateway/authorize/", "", read("gateway.authorize", "policy:evaluate", "policy", ""), 0},
		{"POST", "/api/v1/policy/evaluate", `{"action":"a:b"}`, with(evaluate, "policy", "", `{"action":"a:b"}`), 0},
		{"POST", "/api/v1/policy/evaluate", `{"user_id":"eve"}`, with(evaluate, "user", "eve", `{"user_id":"eve"}`), 0},
		{"GET", "/api/v1/audit/events", "", read("audit.events", "audit:read", "audit", ""), 0},
		{"GET", "/api/v1/audit/keys", "", read("audit.keys", "audit:read", "audit", ""), 0},
		{"GET", "/api/v1/audit/head", "", read("audit.head", "audit:read", "audit", ""), 0},
		{"GET", "/api/v1/cache/stats", "", read("cache.stats", "cache:read", "cache", ""), 0},
		{"POST", "/api/v1/cache/invalidate", "", mcp.Call{Kind: mcp.Plain, Route: "cache.invalidate", Action: "cache:invalidate", ResourceType: "cache"}, 0},
		{"GET", "/health", "", read("health", "health:read", "health", ""), 0},
		{"GET", "/health/", "", read("health", "health:read", "health", ""), 0},
		{"GET", "/health/live", "", read("health.live", "health:read", "health", ""), 0},
		{"GET", "/health/ready", "", read("health.ready", "health:read", "health", ""), 0},
		{"GET", "/health/startup", "", read("health.startup", "health:read", "health", ""), 0},
		{"GET", "/health/detailed", "", read("health.detailed", "health:read", "health", ""), 0},
		{"GET", "/health/pools", "", read("health.pools", "health:read", "health", ""), 0},
		{"PUT", "/api/v1/servers", "", mcp.Call{}, 405},
		{"PUT", "/api/v1/servers/x1", "", mcp.Call{}, 405},
		{"PATCH", "/api/v1/servers/x1", `{"name":"b"}`, with(write("servers.update", "server:update"), "server", "x1", `{"name":"b"}`), 0},
		{"DELETE", "/api/v1/servers/x1/", "", with(write("servers.delete", "server:delete"), "server", "x1", ""), 0},
		{"GET", "/api/v1/servers/x1/tools", "", read("servers.tools", "server:read", "server", "x1"), 0},
		{"PUT", "/api/v1/servers/x1/tools/", "[]", with(write("servers.set_tools", "server:update"), "server", "x1", ""), 0},
		{"PATCH", "/api/v1/servers/x1/tools", "", with(write("servers.rate_tools", "server:update"), "server", "x1", ""), 0},
		{"PUT", "/api/v1/servers/x1/teams", "", with(write("servers.set_teams", "server:update"), "server", "x1", ""), 0},
		{"PUT", "/api/v1/servers/x1/owner", "", with(write("servers.set_owner", "server:update"), "server", "x1", ""), 0},
		{"POST", "/api/v1/servers/x1/discover", "", with(write("servers.discover", "server:update"), "server", "x1", ""), 0},
		{"POST", "/api/v1/bulk/servers/register", "", with(write("servers.bulk_create", "server:register"), "server", "", ""), 0},
		{"PATCH", "/api/v1/bulk/servers/status", "", with(write("servers.bulk_status", "server:update"), "server", "", ""), 0},
		{"GET", "/api/v1/audit/events/e1", "", read("audit.event", "audit:read", "audit", "e1"), 0},
		{"GET", "/api/v1/servers//tools", "", mcp.Call{}, 404},
		{"GET", "/api/v1/servers/a/b/tools", "", mcp.Call{}, 404},
		{"GET", "/api/v1/servers/tools", "", read("servers.get", "server:read", "server", "tools"), 0},
		{"GET", "/api/v1/policy/evaluate", "", mcp.Call{}, 405},
		{"POST", "/health/live", "", mcp.Call{}, 405},
		{"get", "/health/live", "", mcp.Call{}, 405},
		{"GET", "", "", mcp.Call{}, 404},
		{"GET", "/", "", mcp.Call{}, 404},
		{"GET", "/api/v1/servers//", "", mcp.Call{}, 404},
		{"GET", "/api/v1/servers/a/b", "", mcp.Call{}, 404},
		{"GET", "/api/v1/serversx", "", mcp.Call{}, 404},
		{"GET", "/API/v1/servers", "", mcp.Call{}, 404},
		{"GET", "/health/unknown", "", mcp.Call{}, 404},
		{"GET", "/health//", "", mcp.Call{}, 404},
	}
	a := router(t)

	for _, c := range cases {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			got, status := a.Route(c.method, c.path, []byte(c.body))
			diff(t, "call", c.want, got)
			diff(t, "status", c.status, status)
		})
	}
}

func TestOnlyProbesArePublic(t *testing.T) {
	a := router(t)
	got := map[string]bool{}
	for _, route := range []string{
		"servers.list", "servers.get", "servers.create", "policy.evaluate", "audit.events", "audit.keys", "audit.head",
		"health", "health.live", "health.ready", "health.startup", "health.detailed", "health.pools", "", "unknown",
	} {
		if a.Public(route) {
			got[route] = true
		}
	}

	diff(t, "public routes", map[string]bool{"health": true, "health.live": true, "health.ready": true, "health.startup": true}, got)
}

func TestAllowNamesMethods(t *testing.T) {
	a := router(t)
	got := map[string]string{}
	for _, path := range []string{"/api/v1/servers/", "/api/v1/servers/x", "/api/v1/policy/evaluate", "/none"} {
		got[path] = a.Allow(path)
	}

	diff(t, "Allow", map[string]string{
		"/api/v1/servers/": "GET, HEAD, POST", "/api/v1/servers/x": "GET, HEAD, PATCH, DELETE", "/api/v1/policy/evaluate": "POST", "/none": "",
	}, got)
}

func TestResourceDescribesRegistration(t *testing.T) {
	a := router(t)
	cases := []struct {
		name, method, path, body string
		want                     authz.Resource
	}{
		{
			"defaults", "POST", "/api/v1/servers", `{"name":"crm"}`,
			authz.Resource{Type: "server", ID: "crm", SensitivityLevel: "medium", Teams: []string{"finance", "risk"}, OwnerID: "ada"},
		},
		{
			"given", "POST", "/api/v1/servers", `{"name":"crm","sensitivity_level":"critical","teams":["ops"]}`,
			authz.Resource{Type: "server", ID: "crm", SensitivityLevel: "critical", Teams: []string{"ops"}, OwnerID: "ada"},
		},
		{"unreadable", "POST", "/api/v1/servers", `{"name":`, authz.Resource{Type: "server"}},
		{"detail", "GET", "/api/v1/servers/x1", "", authz.Resource{Type: "server", ID: "x1"}},
		{"evaluation", "POST", "/api/v1/policy/evaluate", `{"user_id":"eve"}`, authz.Resource{Type: "user", ID: "eve"}},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			call, _ := a.Route(c.method, c.path, []byte(c.body))
			got, err := a.Describe(t.Context(), analyst(), &call)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "resource", c.want, got)
		})
	}
}

func TestNewRefusesMissingOptions(t *testing.T) {
	if _, err := api.New(api.Options{}); err == nil {
		t.Error("no error")
	}
}

// FuzzRoute holds Route to its promises for any input: it never panics, a status is 0, 404 or 405, and a call that it gives
// is complete, names what stands in the path, and shows policies nothing but the whole body.
func FuzzRoute(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{"GET", "/api/v1/servers/", ""},
		{"GET", "/api/v1/servers/01900000-0000-7000-8000-000000000001", ""},
		{"POST", "/api/v1/servers", `{"name":"crm","transport":"http","tools":[]}`},
		{"POST", "/api/v1/policy/evaluate", `{"user_id":"eve","action":"tool:invoke"}`},
		{"POST", "/api/v1/policy/evaluate", `{"user_id":"\ud800"}`},
		{"PATCH", "/api/v1/servers/01900000-0000-7000-8000-000000000001", `{"status":"active"}`},
		{"PUT", "/api/v1/servers/x/tools", `{"tools":[]}`},
		{"GET", "/health/ready", ""},
		{"PUT", "/health/%2e%2e/", "{}"},
		{"", "//", "[[[["},
	} {
		f.Add(seed.method, seed.path, []byte(seed.body))
	}
	a := router(f)

	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		call, status := a.Route(method, path, body)
		switch {
		case status == 404 || status == 405:
			if !cmp.Equal(call, mcp.Call{}) {
				t.Errorf("status %d with call %+v", status, call)
			}
		case status != 0:
			t.Errorf("status %d", status)
		case call.Route == "" || call.Action == "" || call.ResourceType == "" || call.Kind != mcp.Plain:
			t.Errorf("incomplete call %+v", call)
		case call.Arguments != nil && string(call.Arguments) != string(body):
			t.Errorf("arguments %q are not the body %q", call.Arguments, body)
		}
		if (a.Allow(path) == "") != (status == 404) {
			t.Errorf("status %d, Allow %q", status, a.Allow(path))
		}
	})
}
