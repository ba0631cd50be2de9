package proxy_test

import (
	"maps"
	"testing"

	"sark/authz"
	"sark/internal/testkit"
	"sark/proxy"
)

// TestOverridesStayHere: what was decided by its method and path is not done as another one, by a server that lets clients
// write both into fields.
func TestOverridesStayHere(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Passthrough = []string{"/file"} }
	}))
	g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) { x.Reply(200, "") })
	names := []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X_HTTP_Method_Override"}
	lines := []string{bearer("admin")}
	for _, n := range names {
		lines = append(lines, n+": DELETE")
	}
	c := g.Dial(t)
	c.Send("GET", "/file", "", lines...)
	diff(t, "status", 200, c.ReadReply().Status)
	c.Post("/mcp", toolCall, lines...)
	diff(t, "status", 200, c.ReadReply().Status)
	for _, r := range g.Upstream.AwaitRequests(t, 2) {
		for _, n := range names {
			if r.Header.Has(n) {
				t.Errorf("the server got %s of %s %s", n, r.Method, r.Target)
			}
		}
	}
}

// TestPolicyHeadersAreWhatTheServerReads: a field that the policy sees has one reading, though it is repeated or written with
// underscores.
func TestPolicyHeadersAreWhatTheServerReads(t *testing.T) {
	t.Parallel()
	var got map[string]string
	g := newGateway(t, func(s *setup) {
		s.PolicyHeaders = []string{"x-team", "x-project"}
		s.Decider = deciderFunc(func(in *authz.Input) authz.Decision {
			got = maps.Clone(in.Request.Headers)
			return authz.Decision{Allow: true, Obligations: authz.Obligations{CacheTTL: -1}}
		})
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"), "X-Team: support", "x-team: finance", "X_Project: secret", "X_Other: 1")
	diff(t, "status", 200, c.ReadReply().Status)
	diff(t, "headers of the question", map[string]string{"x-team": "support, finance"}, got)
	up := g.Upstream.AwaitRequests(t, 1)[0]
	diff(t, "headers upstream", []bool{true, false, true}, []bool{up.Header.Has("X-Team"), up.Header.Has("X_Project"), up.Header.Has("X_Other")})
}

// TestCacheKeepsApartWhatVaries: a result that its server says to depend on a field is not for those who sent another value of
// it, the same caller included: his users may be many.
func TestCacheKeepsApartWhatVaries(t *testing.T) {
	t.Parallel()
	for vary, want := range map[string][3]string{
		"Accept-Language": {"MISS", "MISS", "MISS"}, "Origin, X-Tenant": {"MISS", "MISS", "MISS"}, "*": {"MISS", "MISS", "MISS"},
		"Cookie, Accept": {"MISS", "MISS", "HIT"}, "accept, Origin": {"MISS", "HIT", "HIT"},
	} {
		g := newCached(t, nil)
		g.answerTools(forAll, "Vary: "+vary)
		first, second := g.list(t, "admin", "1"), g.list(t, "analyst", "2")
		diff(t, vary, want, [3]string{first.Cache, second.Cache, g.list(t, "admin", "3").Cache})
	}
}

// TestInterimRepliesEnd: a server that is never silent and never answers does not hold a call for ever.
func TestInterimRepliesEnd(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		for x.Err() == nil {
			select {
			case <-x.ClientGone():
				return
			default:
				x.WriteHead(103, "Link: </a>")
			}
		}
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	diff(t, "status", 502, c.ReadReply().Status)
	g.Upstream.AwaitConns(t, func(n testkit.Conns) bool { return n.Open == 0 })
}
