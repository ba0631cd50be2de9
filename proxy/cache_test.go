package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sark/authz"
	"sark/cachemw"
	"sark/internal/testkit"
	"sark/proxy"
)

// clock is a clock that tests can put forward, and stop.
type clock struct {
	ahead atomic.Int64
	stood atomic.Pointer[time.Time]
}

// Now returns the time of the clock.
func (c *clock) Now() time.Time {
	now := time.Now()
	if stood := c.stood.Load(); stood != nil {
		now = *stood
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

// Stop makes the clock stand still, apart from Advance.
func (c *clock) Stop() { c.stood.Store(new(time.Now())) }

// Advance puts the clock forward.
func (c *clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// cached is a gateway with a cache, and that cache and the clock of both.
type cached struct {
	*gateway
	cache *cachemw.Cache
	clock *clock
}

// newCached starts a gateway with a cache. Its upstream answers tools/list with two tools, for a minute and for all.
func newCached(t *testing.T, change func(*setup)) *cached {
	t.Helper()
	k := &clock{}
	c, err := cachemw.New(cachemw.Options{Now: k.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close the cache: %v", err)
		}
	})
	return &cached{cache: c, clock: k, gateway: newGateway(t, permissive(func(s *setup) {
		s.Cache, s.Now = c, k.Now
		if change != nil {
			change(s)
		}
	}))}
}

// answer is a reply as far as caching shows in it.
type answer struct {
	Cache string // X-Cache
	Age   string
	Body  string
}

func readAnswer(c *testkit.RawClient) answer {
	r := c.ReadReply()
	return answer{r.Header.Value("X-Cache"), r.Header.Value("Age"), r.Body}
}

// list asks for the tools as a role and returns the answer.
func (g *cached) list(t *testing.T, role, id string) answer {
	t.Helper()
	c := g.Dial(t)
	postModern(c, role, id, "tools/list", "")
	return readAnswer(c)
}

// result is a tools/list reply of the modern era; fields come before the list.
func result(id, fields string, names ...string) string {
	var items []string
	for _, n := range names {
		items = append(items, `{"name":"`+n+`"}`)
	}
	if fields != "" {
		fields += ","
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"resultType":"complete",` + fields + `"tools":[` + strings.Join(items, ",") + `]}}`
}

// answerTools makes the upstream answer tools/list with the fields.
func (g *cached) answerTools(fields string, lines ...string) {
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		g.Upstream.Send(x, result(string(m.ID), fields, "echo", "wipe"), lines...)
	})
}

const (
	forAll = `"ttlMs":60000,"cacheScope":"public"`
	forOne = `"ttlMs":60000,"cacheScope":"private"`
)

func TestCacheHit(t *testing.T) {
	t.Parallel()
	for _, sse := range []bool{false, true} {
		t.Run(map[bool]string{false: "JSON", true: "events"}[sse], func(t *testing.T) {
			t.Parallel()
			g := newCached(t, func(s *setup) { s.MCP.SSE = sse })
			g.answerTools(forAll)
			first := g.list(t, "admin", "1")
			diff(t, "first", "MISS", first.Cache)
			g.AwaitEvents(t, 1) // a stream has been stored by then
			g.clock.Advance(2500 * time.Millisecond)
			got := g.list(t, "analyst", `"other-id"`)
			want := result(`"other-id"`, `"ttlMs":57499,"cacheScope":"private"`, "echo", "wipe")
			if ttl, ok := ttlOf(got.Body); !ok || ttl > 57500 || ttl < 50000 {
				t.Errorf("ttlMs %d", ttl)
			} else {
				want = strings.Replace(want, "57499", ttlText(got.Body), 1)
			}
			if sse { // as the server would have answered
				want = "event: message\ndata: " + want + "\n\n"
			}
			diff(t, "second", answer{"HIT", "2", want}, got)
			g.clock.Advance(58 * time.Second)
			diff(t, "after its lifetime", "MISS", g.list(t, "admin", "3").Cache)
			diff(t, "upstream calls", 2, g.Upstream.Calls()["tools/list"])
			var statuses []string
			for _, e := range g.AwaitEvents(t, 3) {
				statuses = append(statuses, e.CacheStatus)
			}
			diff(t, "trail", []string{"MISS", "HIT", "MISS"}, statuses)
		})
	}
}

// ttlText is the ttlMs of a reply as it stands there.
func ttlText(body string) string {
	_, rest, _ := strings.Cut(body, `"ttlMs":`)
	text, _, _ := strings.Cut(rest, ",")
	return text
}

func ttlOf(body string) (int, bool) {
	n := 0
	for _, c := range ttlText(body) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, n > 0
}

func TestCacheScope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fields string
		change func(*setup)
		want   [3]string // admin, analyst, admin
	}{
		{"public", forAll, nil, [3]string{"MISS", "HIT", "HIT"}},
		{"private", forOne, nil, [3]string{"MISS", "MISS", "HIT"}},
		{"public, but the operator says private", forAll, func(s *setup) {
			s.Server = func(o *proxy.ServerOptions) { o.CacheScope = "private" }
		}, [3]string{"MISS", "MISS", "HIT"}},
		{"policy allows no caching", forAll, func(s *setup) {
			s.Decider = deciderFunc(func(*authz.Input) authz.Decision { return authz.Decision{Allow: true} })
		}, [3]string{"MISS", "MISS", "MISS"}},
		{"no lifetime", `"ttlMs":0,"cacheScope":"public"`, nil, [3]string{"MISS", "MISS", "MISS"}},
		{"no scope", `"ttlMs":60000`, nil, [3]string{"MISS", "MISS", "MISS"}},
		{"input required", `"ttlMs":60000,"cacheScope":"public","resultType":"input_required"`, nil, [3]string{"MISS", "MISS", "MISS"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, test.change)
			g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
				body := result(string(m.ID), test.fields, "echo")
				if strings.Contains(test.fields, "resultType") {
					body = strings.Replace(body, `"resultType":"complete",`, "", 1)
				}
				x.JSON(200, body)
			})
			var got [3]string
			for i, role := range []string{"admin", "analyst", "admin"} {
				got[i] = g.list(t, role, "1").Cache
			}
			diff(t, "X-Cache", test.want, got)
		})
	}
}

// TestCacheKeepsNoReplyThat lists replies that must not be kept whatever they say.
func TestCacheKeepsNoReplyThat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script func(x *testkit.Exchange, m testkit.Message)
	}{
		{"failed", func(x *testkit.Exchange, m testkit.Message) { x.JSON(500, result(string(m.ID), forAll, "echo")) }},
		{"is an error", func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, m.Refuse(-32602, "no", "")) }},
		{"sets a cookie", func(x *testkit.Exchange, m testkit.Message) {
			x.JSON(200, result(string(m.ID), forAll, "echo"), "Set-Cookie: a=b")
		}},
		{"answers another request", func(x *testkit.Exchange, _ testkit.Message) { x.JSON(200, result("99", forAll, "echo")) }},
		{"can be read in two ways", func(x *testkit.Exchange, m testkit.Message) {
			x.JSON(200, result(string(m.ID), forAll+`,"ttlMs":1`, "echo"))
		}},
		{"is cut", func(x *testkit.Exchange, m testkit.Message) {
			x.Stream()
			x.Write([]byte("data: " + result(string(m.ID), forAll, "echo")))
			x.Cut()
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, nil)
			g.Upstream.On("tools/list", test.script)
			for i := range 2 {
				got := g.list(t, "admin", "1").Cache
				if got == "HIT" {
					t.Errorf("request %d was answered from cache", i+1)
				}
				g.AwaitEvents(t, i+1)
			}
		})
	}
}

func TestCacheFiltersEachAnswer(t *testing.T) {
	t.Parallel()
	var hidden atomic.Pointer[string] // the name that nobody but admins may see
	hidden.Store(new("wipe"))
	g := newCached(t, func(s *setup) {
		s.Decider = deciderFunc(func(in *authz.Input) authz.Decision {
			hide := in.Phase == authz.PhaseList && in.Tool.Name == *hidden.Load() && in.Principal.Roles[0] != "admin"
			return authz.Decision{Allow: !hide, Obligations: authz.Obligations{CacheTTL: -1}}
		})
	})
	g.answerTools(forAll)
	g.list(t, "analyst", "1") // fills the cache with more than an analyst may see
	names := func(a answer) string {
		_, list, _ := strings.Cut(a.Body, `"tools":`)
		return a.Cache + " " + strings.TrimSuffix(list, "}}")
	}
	diff(t, "analyst", `HIT [{"name":"echo"}]`, names(g.list(t, "analyst", "2")))
	diff(t, "admin", `HIT [{"name":"echo"},{"name":"wipe"}]`, names(g.list(t, "admin", "3")))
	hidden.Store(new("echo"))
	diff(t, "analyst after a change of policy", `HIT [{"name":"wipe"}]`, names(g.list(t, "analyst", "4")))
}

// TestPolicyShortensLifetimes: what a policy says of caching holds for what is stored, whatever it says later, and for what
// was stored before it said so.
func TestPolicyShortensLifetimes(t *testing.T) {
	t.Parallel()
	const unsaid, brief = time.Duration(-1), 10 * time.Second
	for name, test := range map[string]struct {
		first, then time.Duration
		want        [3]string // at once, soon, and after what the policy said
	}{
		"nothing said":        {unsaid, unsaid, [3]string{"MISS 60", "HIT 55", "HIT 40"}},
		"said when stored":    {brief, unsaid, [3]string{"MISS 10", "HIT 5", "MISS 60"}},
		"said when looked up": {unsaid, brief, [3]string{"MISS 60", "HIT 55", "MISS 10"}},
		"nothing to be kept":  {0, unsaid, [3]string{"MISS ", "MISS 60", "HIT 45"}},
		"nothing to be used":  {unsaid, 0, [3]string{"MISS 60", "MISS ", "MISS "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ttl atomic.Int64
			ttl.Store(int64(test.first))
			g := newCached(t, func(s *setup) {
				s.Decider = deciderFunc(func(*authz.Input) authz.Decision {
					return authz.Decision{Allow: true, Obligations: authz.Obligations{CacheTTL: time.Duration(ttl.Load())}}
				})
			})
			g.clock.Stop()
			g.answerTools(forAll)
			var got [3]string
			for i, wait := range []time.Duration{0, 5 * time.Second, 15 * time.Second} {
				g.clock.Advance(wait)
				c := g.Dial(t)
				postModern(c, "admin", "1", "tools/list", "")
				r := c.ReadReply()
				got[i] = r.Header.Value("X-Cache") + " " + r.Header.Value("X-Cache-TTL")
				ttl.Store(int64(test.then))
			}
			diff(t, "X-Cache and X-Cache-TTL", test.want, got)
		})
	}
}

// TestCacheHitIsDecidedFirst: an entry is no permission.
func TestCacheHitIsDecidedFirst(t *testing.T) {
	t.Parallel()
	var closed atomic.Bool
	g := newCached(t, func(s *setup) {
		s.Decider = deciderFunc(func(*authz.Input) authz.Decision {
			return authz.Decision{Allow: !closed.Load(), Obligations: authz.Obligations{CacheTTL: -1}}
		})
	})
	g.answerTools(forAll)
	g.list(t, "admin", "1")
	closed.Store(true)
	c := g.Dial(t)
	postModern(c, "admin", "2", "tools/list", "")
	r := c.ReadReply()
	diff(t, "status and X-Cache", []any{403, ""}, []any{r.Status, r.Header.Value("X-Cache")})
}

// TestCacheIsPassedBy lists requests that ask for more than a stored answer can give.
func TestCacheIsPassedBy(t *testing.T) {
	t.Parallel()
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":1}`
	tests := []struct {
		name string
		send func(c *testkit.RawClient)
		want string
	}{
		{"legacy", func(c *testkit.RawClient) { c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin")) }, "BYPASS"},
		{"progress token", func(c *testkit.RawClient) {
			c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+meta+`}}`, bearer("admin"),
				"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list")
		}, "BYPASS"},
		{"session", func(c *testkit.RawClient) { postModern(c, "admin", "1", "tools/list", "", "Mcp-Session-Id: s-1") }, "BYPASS"},
		{"another method", func(c *testkit.RawClient) {
			postModern(c, "admin", "1", "tools/call", `"name":"echo"`, "Mcp-Name: echo")
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, nil)
			g.answerTools(forAll)
			g.list(t, "admin", "1")
			c := g.Dial(t)
			for range 2 {
				test.send(c)
				r := c.ReadReply()
				diff(t, "status and X-Cache", []any{200, test.want}, []any{r.Status, r.Header.Value("X-Cache")})
			}
			diff(t, "requests", 3, len(g.Upstream.Requests()))
		})
	}
}

// TestCacheTellsQuestionsApart sends questions that differ in something that matters.
func TestCacheTellsQuestionsApart(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	g.answerTools(forAll)
	c := g.Dial(t)
	for _, params := range []string{"", `"cursor":"a"`, `"cursor":"b"`, `"vendor":1`} {
		for _, want := range []string{"MISS", "HIT"} {
			postModern(c, "admin", "1", "tools/list", params)
			diff(t, params, want, readAnswer(c).Cache)
		}
	}
	for _, method := range []string{"prompts/list", "resources/list", "resources/templates/list", "server/discover"} {
		for _, want := range []string{"MISS", "HIT"} {
			postModern(c, "admin", "1", method, "")
			diff(t, method, want, readAnswer(c).Cache)
		}
	}
}

// TestCacheInvalidationDuringAForward: what was asked before an invalidation must not be kept after it.
func TestCacheInvalidationDuringAForward(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	proceed := make(chan struct{})
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		<-proceed
		x.JSON(200, result(string(m.ID), forAll, "echo"))
	})
	c := g.Dial(t)
	postModern(c, "admin", "1", "tools/list", "")
	g.Upstream.AwaitRequests(t, 1)
	if err := g.cache.Invalidate(t.Context(), "desk"); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	diff(t, "first", "MISS", readAnswer(c).Cache)
	diff(t, "after the invalidation", "MISS", g.list(t, "admin", "2").Cache)
	diff(t, "after that", "HIT", g.list(t, "admin", "3").Cache)
	if err := g.cache.InvalidateAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	diff(t, "after another", "MISS", g.list(t, "admin", "4").Cache)
}

// counted is a cache that counts how often it is asked.
type counted struct {
	*cachemw.Cache
	lookups atomic.Int64
}

func (c *counted) Lookup(ctx context.Context, k cachemw.Key) (cachemw.Entry, bool) {
	c.lookups.Add(1)
	return c.Cache.Lookup(ctx, k)
}

// TestScopesOfOneKind: of a kind of answers of which some are for everybody and others are not, each is found again, in as few
// looks as can be: two while it is not known who may share them, one while all are alike, and two again once they are not.
func TestScopesOfOneKind(t *testing.T) {
	t.Parallel()
	var c counted
	g := newCached(t, func(s *setup) {
		c.Cache = s.Cache.(*cachemw.Cache)
		s.Cache = &c
	})
	g.Upstream.On("resources/read", func(x *testkit.Exchange, m testkit.Message) {
		fields := forAll
		if strings.Contains(string(m.Params), "own") {
			fields = forOne
		}
		x.JSON(200, `{"jsonrpc":"2.0","id":1,"result":{`+fields+`,"contents":[]}}`)
	})
	var got []string
	for _, uri := range strings.Fields("all:1 all:1 all:2 own:1 own:1 all:1 own:2 own:2 all:3 all:3 own:1") {
		before := c.lookups.Load()
		conn := g.Dial(t)
		postModern(conn, "admin", "1", "resources/read", `"uri":"`+uri+`"`, "Mcp-Name: "+uri)
		got = append(got, fmt.Sprint(uri, " ", readAnswer(conn).Cache, " ", c.lookups.Load()-before))
	}
	diff(t, "answers and lookups", []string{
		"all:1 MISS 2", "all:1 HIT 1", "all:2 MISS 1",
		"own:1 MISS 1", "own:1 HIT 1", "all:1 HIT 2", "own:2 MISS 2", "own:2 HIT 1",
		"all:3 MISS 2", "all:3 HIT 1", "own:1 HIT 2",
	}, got)
}
