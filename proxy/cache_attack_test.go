package proxy_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sark/internal/authn"
	"sark/internal/testkit"
	"sark/proxy"
)

// told makes the upstream answer tools/list with what it was told in a field of the request.
func (g *cached) told(fields, name string, lines ...string) {
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, result(string(m.ID), fields, "to-"+or(x.Request.Header.Value(name))), lines...)
	})
}

// listWith asks for the tools with these header lines and returns X-Cache and the name of the tool.
func (g *cached) listWith(t *testing.T, host string, lines ...string) string {
	t.Helper()
	c := g.DialHost(t, host)
	const params = `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`
	c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":`+params+`}`, append(lines, "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list")...)
	r := c.ReadReply()
	return r.Header.Value("X-Cache") + " " + toolIn(r.Body)
}

// toolIn returns the name in a reply of told, the whole reply when there is none.
func toolIn(body string) string {
	_, rest, found := strings.Cut(body, `{"name":"to-`)
	if name, _, ended := strings.Cut(rest, `"`); found && ended {
		return name
	}
	return body
}

// TestCacheAfterALostRole: servers are told the roles of who asks. What one said to an admin is not for the same caller when
// he is an admin no more, nor for whoever has a new key with the old id.
func TestCacheAfterALostRole(t *testing.T) {
	t.Parallel()
	issuer := testkit.NewSigner(t)
	authenticator := func(secret string, roles ...string) proxy.Authenticator {
		a, err := authn.New(authn.Options{
			JWT: &authn.JWTOptions{
				Issuer: issuer.Issuer(), Audience: []string{"gateway"}, Key: issuer.PublicKeyPEM(), Claims: authn.ClaimNames{Roles: "roles"},
			},
			APIKeys: []authn.APIKey{{ID: "ben", Hash: authn.HashSecret(secret), Subject: "ben@example.com", Roles: roles}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		return a
	}
	token := func(roles ...string) string {
		return "Authorization: Bearer " + issuer.Sign(map[string]any{
			"aud": "gateway", "sub": "ada", "roles": roles, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
	}
	secret, another := secretOf("admin"), secretOf("viewer")
	for name, test := range map[string]struct {
		byPrincipal bool
		first, then string // credentials
		secret      string // of the key then
		roles       []string
		want        string
	}{
		"the same key":                {false, "X-API-Key: sark_ben_" + secret, "X-API-Key: sark_ben_" + secret, secret, []string{"admin"}, "HIT admin"},
		"a key that lost a role":      {false, "X-API-Key: sark_ben_" + secret, "X-API-Key: sark_ben_" + secret, secret, []string{"viewer"}, "MISS viewer"},
		"a new key with the old id":   {false, "X-API-Key: sark_ben_" + secret, "X-API-Key: sark_ben_" + another, another, []string{"admin"}, "MISS admin"},
		"another token":               {false, token("admin"), token("admin", "viewer"), secret, []string{"admin"}, "MISS admin,viewer"},
		"a renewed token":             {true, token("admin", "viewer"), token("admin", "viewer"), secret, []string{"admin"}, "HIT admin,viewer"},
		"a renewed token, one role":   {true, token("admin", "viewer"), token("viewer"), secret, []string{"admin"}, "MISS viewer"},
		"a key is not its principal":  {true, "X-API-Key: sark_ben_" + secret, "X-API-Key: sark_ben_" + secret, secret, []string{"viewer"}, "MISS viewer"},
		"a token without scope, ever": {true, token(), token("viewer"), secret, []string{"admin"}, "MISS viewer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, func(s *setup) {
				s.Authenticator, s.PartitionByPrincipal = authenticator(secret, "admin"), test.byPrincipal
			})
			g.told(forOne, "X-Sark-Roles")
			g.listWith(t, "", test.first)
			o := g.options
			o.Authenticator = authenticator(test.secret, test.roles...)
			if err := g.handler.Reload(o); err != nil {
				t.Fatal(err)
			}
			diff(t, "then", test.want, g.listWith(t, "", test.then))
		})
	}
}

// TestCacheOfWhoSeesTokens: a server that sees a caller's token, or one made of it, may answer by whatever it claims. Another
// token of the same principal, for another organisation say, does not get that answer.
func TestCacheOfWhoSeesTokens(t *testing.T) {
	t.Parallel()
	issuer := testkit.NewSigner(t)
	token := func(org string) string {
		return "Authorization: Bearer " + issuer.Sign(map[string]any{
			"aud": "gateway", "sub": "ada", "org": org, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
	}
	one, other := token("one"), token("other")
	tokens := newTokenServer(t, 200, goodToken)
	for name, test := range map[string]struct {
		server func(*proxy.ServerOptions)
		want   [3]string
	}{
		"none":      {nil, [3]string{"MISS", "HIT", "HIT"}},
		"forwarded": {func(o *proxy.ServerOptions) { o.ForwardAuthorization = true }, [3]string{"MISS", "MISS", "HIT"}},
		"exchanged": {func(o *proxy.ServerOptions) {
			o.Upstream.Exchange = proxy.ExchangeOptions{TokenURL: tokens.URL + "/token", ClientID: "gateway", ClientSecret: "s3cret"}
		}, [3]string{"MISS", "MISS", "HIT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, func(s *setup) {
				a, err := authn.New(authn.Options{JWT: &authn.JWTOptions{Issuer: issuer.Issuer(), Audience: []string{"gateway"}, Key: issuer.PublicKeyPEM()}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(a.Close)
				s.Authenticator, s.PartitionByPrincipal, s.Server = a, true, test.server
			})
			g.told(forOne, "X-Sark-Principal")
			var got [3]string
			for i, credential := range []string{one, other, one} {
				got[i], _, _ = strings.Cut(g.listWith(t, "", credential), " ")
			}
			diff(t, "X-Cache", test.want, got)
		})
	}
}

// TestCacheOfWhatProxiesSay: what a trusted proxy says of the way of a request goes upstream, where answers are made of it;
// so it is part of the question. What strangers say goes nowhere, and tells nothing apart.
func TestCacheOfWhatProxiesSay(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /evil", "X-Forwarded-Client-Cert: By=eve"} {
		for _, trusted := range []bool{false, true} {
			t.Run(fmt.Sprint(line, trusted), func(t *testing.T) {
				t.Parallel()
				change := permissive(nil)
				if trusted {
					change = believing(nil)
				}
				g := newCached(t, change)
				name, value, _ := strings.Cut(line, ": ")
				g.told(forAll, name)
				want := [3]string{"MISS -", "HIT -", "HIT -"}
				if trusted {
					want = [3]string{"MISS " + value, "MISS -", "HIT " + value}
				}
				got := [3]string{g.listWith(t, "", bearer("admin"), line), g.listWith(t, "", bearer("viewer")), g.listWith(t, "", bearer("viewer"), line)}
				diff(t, "answers", want, got)
			})
		}
	}
}

// TestPlainCacheOfWhatProxiesSay is the same for plain HTTP. There a server may also vary on the list that the gateway makes.
func TestPlainCacheOfWhatProxiesSay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trusted bool
		vary    string
		from    [3]string // addresses
		lines   [3]string
		want    [3]string
	}{
		"host of a trusted proxy": {
			true, "",
			[3]string{},
			[3]string{"X-Forwarded-Host: evil.example", "X-Forwarded-Host: good.example", "X-Forwarded-Host: evil.example"},
			[3]string{"MISS 1", "MISS 2", "HIT 1"},
		},
		"host of a stranger": {
			false, "",
			[3]string{},
			[3]string{"X-Forwarded-Host: evil.example", "X-Forwarded-Host: good.example", "X-Forwarded-Host: evil.example"},
			[3]string{"MISS 1", "HIT 1", "HIT 1"},
		},
		"client behind a trusted proxy": {
			true, "X-Forwarded-For",
			[3]string{},
			[3]string{"X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2", "X-Forwarded-For: 203.0.113.1"},
			[3]string{"MISS 1", "MISS 2", "HIT 1"},
		},
		"client": {
			false, "x-forwarded-for", [3]string{"127.0.0.1", "127.0.0.2", "127.0.0.1"}, [3]string{}, [3]string{"MISS 1", "MISS 2", "HIT 1"},
		},
		"client who lies": {
			false, "X-Forwarded-For",
			[3]string{},
			[3]string{"X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2", ""},
			[3]string{"MISS 1", "HIT 1", "HIT 1"},
		},
		"client of no interest": {false, "", [3]string{"127.0.0.1", "127.0.0.2", "127.0.0.1"}, [3]string{}, [3]string{"MISS 1", "HIT 1", "HIT 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			options := o.options
			if test.trusted {
				options.TrustedProxies = []string{"127.0.0.0/8"}
			}
			options.Servers[0].Upstream.IdleTimeout = time.Second
			if err := o.handler.Reload(options); err != nil {
				t.Fatal(err)
			}
			o.run(t, "upstream 200 | Cache-Control: public, max-age=60 | Vary: "+test.vary)
			var got [3]string
			for i, line := range test.lines {
				c := dialFrom(t, o.gateway, test.from[i])
				lines := []string{bearer([]string{"admin", "viewer"}[i%2])}
				if line != "" {
					lines = append(lines, line)
				}
				c.Send("GET", "/docs", "", lines...)
				r := c.ReadReply()
				got[i] = r.Header.Value("X-Cache") + " " + r.Body
			}
			diff(t, "answers", test.want, got)
		})
	}
}

// dialFrom opens a connection to the gateway whose own end is at that address of this machine; "" is any.
func dialFrom(t *testing.T, g *gateway, address string) *testkit.RawClient {
	t.Helper()
	if address == "" {
		return g.Dial(t)
	}
	return testkit.DialFrom(t, address, g.Addr)
}

// TestCacheScopeIsNarrowedAtOnce: what was kept for everybody before the operator narrowed a server's scope, or by a gateway
// that knows nothing of that, is for nobody.
func TestCacheScopeIsNarrowedAtOnce(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	g.told(forAll, "X-Sark-Principal")
	diff(t, "before", []string{"MISS admin@example.com", "HIT admin@example.com"}, []string{g.listWith(t, "", bearer("admin")), g.listWith(t, "", bearer("viewer"))})
	o := g.options
	o.Servers[0].CacheScope = "private"
	if err := g.handler.Reload(o); err != nil {
		t.Fatal(err)
	}
	diff(t, "after", []string{"MISS viewer@example.com", "HIT viewer@example.com"}, []string{g.listWith(t, "", bearer("viewer")), g.listWith(t, "", bearer("viewer"))})
}

// TestPlainCacheScopeIsNarrowedAtOnce is the same for plain HTTP.
func TestPlainCacheScopeIsNarrowedAtOnce(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.run(t, "upstream 200 | Cache-Control: public, max-age=60\nadmin GET -> MISS 200 1\nviewer GET -> HIT 200 1")
	options := o.options
	options.Servers[0].CacheScope = "private"
	if err := o.handler.Reload(options); err != nil {
		t.Fatal(err)
	}
	o.run(t, "viewer GET -> MISS 200 2\nadmin GET -> MISS 200 3\nviewer GET -> HIT 200 2")
}

// TestCacheOfAServerThatMoved: an answer is that of one server. Another one that gets its name has given none.
func TestCacheOfAServerThatMoved(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	g.told(forAll, "Host")
	before := g.listWith(t, "", bearer("admin"))
	moved := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	moved.On("tools/list", func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, result(string(m.ID), forAll, "to-another")) })
	o := g.options
	o.Servers = []proxy.ServerOptions{deskServer(moved.URL() + "/mcp")}
	if err := g.handler.Reload(o); err != nil {
		t.Fatal(err)
	}
	after := g.listWith(t, "", bearer("admin"))
	diff(t, "after the move", "MISS another", after)
	if before == after {
		t.Errorf("before it: %s", before)
	}
}

// TestPlainCacheOfAFatGET: a body is part of no key.
func TestPlainCacheOfAFatGET(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.run(t, "upstream 200 | Cache-Control: public, max-age=60")
	c := o.Dial(t)
	c.Send("GET", "/docs", "lang=evil", bearer("admin"))
	r := c.ReadReply()
	diff(t, "with a body", "BYPASS 1", r.Header.Value("X-Cache")+" "+r.Body)
	o.run(t, "viewer GET -> MISS 200 2\nviewer GET -> HIT 200 2")
}

// TestPlainCacheOfTargets: one resource has one spelling. Whatever else a server could take for it is refused, or another
// question.
func TestPlainCacheOfTargets(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.run(t, "upstream 200 | Cache-Control: public, max-age=60\nadmin GET -> MISS 200 1\nadmin GET?a=1 -> MISS 200 2")
	for target, want := range map[string]string{
		"/docs": "200 HIT 1", "/docs?": "200 HIT 1", // the same upstream
		"/docs?a=1": "200 HIT 2", "/docs?a=1#b": "200 MISS 3",
		"http://" + o.Addr + "/docs": "400 - ", "/docs#b": "404 - ", "/%64ocs": "404 - ", "/docs/": "404 - ", "//docs": "404 - ", "/x/../docs": "404 - ",
	} {
		c := o.Dial(t)
		c.Write("GET " + target + " HTTP/1.1\r\nHost: " + o.Addr + "\r\n" + bearer("viewer") + "\r\n\r\n")
		r := c.ReadReply()
		body := r.Body
		if r.Status != 200 {
			body = ""
		}
		diff(t, target, want, fmt.Sprint(r.Status, " ", or(r.Header.Value("X-Cache")), " ", body))
	}
}

// TestCacheObeysNoStore: whoever sends no-store or private with a reply means all of it, however its result calls itself.
func TestCacheObeysNoStore(t *testing.T) {
	t.Parallel()
	for directives, want := range map[string][3]string{
		"no-cache, no-transform":   {"MISS admin@example.com", "HIT admin@example.com", "HIT admin@example.com"}, // what SDKs say of every event stream
		"max-age=0, No-Store":      {"MISS admin@example.com", "MISS viewer@example.com", "MISS admin@example.com"},
		"private":                  {"MISS admin@example.com", "MISS viewer@example.com", "HIT admin@example.com"},
		`extension="no-store", ab`: {"MISS admin@example.com", "HIT admin@example.com", "HIT admin@example.com"},
	} {
		t.Run(directives, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, nil)
			g.told(forAll, "X-Sark-Principal", "Cache-Control: "+directives)
			var got [3]string
			for i, who := range []string{"admin", "viewer", "admin"} {
				got[i] = g.listWith(t, "", bearer(who))
			}
			diff(t, "answers", want, got)
		})
	}
}

// TestCacheForgetsWhileItRefreshes: an answer that was invalidated while somebody went upstream for a newer one does not
// stand in when that fails.
func TestCacheForgetsWhileItRefreshes(t *testing.T) {
	t.Parallel()
	for _, invalidated := range []bool{false, true} {
		t.Run(fmt.Sprint(invalidated), func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			var during atomic.Pointer[func()]
			o.before = func() {
				if f := during.Load(); f != nil {
					(*f)()
				}
			}
			o.run(t, "upstream 200 | Cache-Control: public, max-age=10, stale-if-error=600\nadmin GET -> MISS 200 1\nwait 20s\nupstream 503")
			f := func() {
				if invalidated {
					if err := o.cache.InvalidateAll(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
			during.Store(&f)
			want := "viewer GET -> STALE 200 1"
			if invalidated {
				want = "viewer GET -> MISS 503 *"
			}
			o.run(t, want)
		})
	}
}

// TestCacheForgetsWhileOthersWait: an answer that was asked for before an invalidation is nobody's but his who asked. Those who
// waited for it ask for themselves.
func TestCacheForgetsWhileOthersWait(t *testing.T) {
	t.Parallel()
	for _, invalidated := range []bool{false, true} {
		t.Run(fmt.Sprint(invalidated), func(t *testing.T) {
			t.Parallel()
			g := newCached(t, nil)
			proceed := make(chan struct{})
			g.held(forAll, proceed)
			first, second := g.Dial(t), g.Dial(t)
			postModern(first, "admin", "1", "tools/list", "")
			g.Upstream.AwaitRequests(t, 1)
			postModern(second, "viewer", "2", "tools/list", "")
			g.awaitInProgress(t, 2)
			want := []string{"MISS", "HIT"}
			if invalidated {
				want[1] = "MISS"
				if err := g.cache.Invalidate(t.Context(), "desk"); err != nil {
					t.Fatal(err)
				}
			}
			close(proceed)
			diff(t, "X-Cache", want, []string{readAnswer(first).Cache, readAnswer(second).Cache})
		})
	}
}

// TestCacheOfMoreThanAMessage: what stands in a message beside what JSON-RPC gives it goes upstream, where it may change the
// answer.
func TestCacheOfMoreThanAMessage(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	g.answerTools(forAll)
	const params = `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`
	ask := func(more string) string {
		c := g.Dial(t)
		c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"`+more+`,"params":`+params+`}`, bearer("admin"), "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list")
		return readAnswer(c).Cache
	}
	diff(t, "X-Cache", []string{"BYPASS", "MISS", "HIT", "BYPASS"}, []string{ask(`,"tenant":"evil"`), ask(""), ask(""), ask(`,"tenant":"evil"`)})
}
