package proxy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
	"sark/internal/testkit"
)

// registryFailures are those of a registry that cannot be asked what a call is about.
func registryFailures() map[string]failure {
	return map[string]failure{
		"registry-away": {
			setup: func(_ *testing.T, s *setup) { s.Local = registryAway{} },
			send:  func(c *testkit.RawClient) { c.Send("GET", "/api/v1/servers/1", "", bearer("analyst")) },
			plain: true,
		},
	}
}

// registryAway is a management API whose database is away.
type registryAway struct{}

// Route implements proxy.Local.
func (registryAway) Route(string, string, []byte) (mcp.Call, int) {
	return mcp.Call{Action: "server:read", Route: "servers.one", ResourceType: "server", Name: "1"}, 0
}

// Allow implements proxy.Local.
func (registryAway) Allow(string) string { return "GET" }

// Public implements proxy.Local.
func (registryAway) Public(string) bool { return false }

// Describe implements proxy.Local.
func (registryAway) Describe(context.Context, *authn.Principal, *mcp.Call) (authz.Resource, error) {
	return authz.Resource{}, errors.New("the database is away")
}

// Serve implements proxy.Local. Nothing is served, since nothing was decided.
func (registryAway) Serve(context.Context, authn.Caller, *mcp.Call, *fasthttp.Request, *fasthttp.Response) []byte {
	panic("BUG: a call was served that nobody has decided")
}
