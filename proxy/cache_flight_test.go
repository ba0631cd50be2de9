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
	"sark/internal/authn"
	"sark/internal/testkit"
	"sark/proxy"
)

// held makes the upstream hold its answer to tools/list until proceed is closed. Each answer names who asked, as an upstream
// does that tells callers apart.
func (g *cached) held(fields string, proceed <-chan struct{}) {
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		select {
		case <-proceed:
		case <-x.ClientGone(): // nobody waits any more
			return
		}
		x.JSON(200, result(string(m.ID), fields, "for-"+strings.Split(x.Request.Header.Value("X-Sark-Principal"), "@")[0]))
	})
}

// TestOneFlight: of several equal requests one goes upstream, and the others have its answer where they may.
func TestOneFlight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, fields string
		calls        int
	}{{"public", forAll, 1}, {"private", forOne, 2}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, nil)
			proceed := make(chan struct{})
			g.held(test.fields, proceed)
			first := g.Dial(t)
			postModern(first, "admin", "1", "tools/list", "")
			g.Upstream.AwaitRequests(t, 1)
			var others []*testkit.RawClient
			for i := range 6 {
				c := g.Dial(t)
				postModern(c, []string{"admin", "viewer"}[i%2], fmt.Sprint(10+i), "tools/list", "")
				others = append(others, c)
			}
			g.awaitInProgress(t, 7)
			close(proceed)

			diff(t, "the first", "MISS", readAnswer(first).Cache)
			for i, c := range others {
				who := "admin"
				if test.name == "private" {
					who = []string{"admin", "viewer"}[i%2]
				}
				if body := c.ReadReply().Body; !strings.Contains(body, fmt.Sprintf(`"id":%d,`, 10+i)) || !strings.Contains(body, "for-"+who) {
					t.Errorf("request %d got %s, want the answer for %s", i, body, who)
				}
			}
			// Those whose answer was another's ask by themselves, each, since nobody waits twice.
			if n := g.Upstream.Calls()["tools/list"]; n < test.calls || test.name == "public" && n > test.calls || n > 4 {
				t.Errorf("the upstream was asked %d times", n)
			}
		})
	}
}

// awaitInProgress waits until so many requests are being served: those without an answer wait for another's.
func (g *cached) awaitInProgress(t *testing.T, n float64) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	deadline := time.After(testkit.Patience)
	for g.Metric(t, "sark_proxy_requests_in_progress") < n {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("not %v requests in progress", n)
		}
	}
}

// TestFlightOutlivesItsLeader: the answer that others wait for is fetched although the client that asked first has left.
func TestFlightOutlivesItsLeader(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	proceed := make(chan struct{})
	g.held(forAll, proceed)
	first, second := g.Dial(t), g.Dial(t)
	postModern(first, "admin", "1", "tools/list", "")
	g.Upstream.AwaitRequests(t, 1)
	postModern(second, "viewer", "2", "tools/list", "")
	g.awaitInProgress(t, 2)
	first.Reset()
	g.awaitLooks(t)
	third := g.Dial(t)
	postModern(third, "analyst", "3", "tools/list", "")
	g.awaitInProgress(t, 3)
	close(proceed)

	diff(t, "the others", []string{"HIT", "HIT"}, []string{readAnswer(second).Cache, readAnswer(third).Cache})
	diff(t, "calls", 1, g.Upstream.Calls()["tools/list"])
}

// awaitLooks returns when calls whose clients have left were ended twice, one after the other: by then the gateway has looked
// after the client of every call that was waiting at the beginning.
func (g *cached) awaitLooks(t *testing.T) {
	t.Helper()
	arrived, gone := make(chan struct{}, 1), make(chan struct{}, 1) // one call at a time
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		arrived <- struct{}{}
		<-x.ClientGone()
		gone <- struct{}{}
	})
	for range 2 {
		c := g.Dial(t)
		c.Post("/mcp", toolCall, bearer("admin"))
		testkit.Wait(t, 0, arrived)
		c.Reset()
		testkit.Wait(t, 0, gone)
	}
}

// TestFlightKeepsToTheDeadline: who waits for another's answer waits no longer than for the upstream itself.
func TestFlightKeepsToTheDeadline(t *testing.T) {
	t.Parallel()
	g := newCached(t, func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Upstream.FirstByteTimeout = 500 * time.Millisecond }
	})
	g.held(forAll, make(chan struct{}))
	first, second := g.Dial(t), g.Dial(t)
	postModern(first, "admin", "1", "tools/list", "")
	g.Upstream.AwaitRequests(t, 1)
	postModern(second, "viewer", "2", "tools/list", "")
	diff(t, "statuses", []int{504, 504}, []int{first.ReadReply().Status, second.ReadReply().Status})
}

// TestFollowersHaveTheirOwnDeadline: who waits for another's answer that has begun and does not end asks by itself when its
// own time for an answer is over.
func TestFollowersHaveTheirOwnDeadline(t *testing.T) {
	t.Parallel()
	g := newCached(t, func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Upstream.FirstByteTimeout = 300 * time.Millisecond }
	})
	proceed := make(chan struct{})
	var asked atomic.Int64
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		answer := result(string(m.ID), forAll, "echo")
		if asked.Add(1) > 1 {
			x.JSON(200, answer)
			return
		}
		x.Stream() // the head comes in time, and the rest does not
		select {
		case <-proceed:
		case <-x.ClientGone():
		}
		x.Event(answer)
	})
	first, second := g.Dial(t), g.Dial(t)
	postModern(first, "admin", "1", "tools/list", "")
	g.Upstream.AwaitRequests(t, 1)
	postModern(second, "viewer", "2", "tools/list", "")
	got := readAnswer(second)                                                   // before the first has its answer
	diff(t, "the second", answer{"MISS", "", result("2", forOne, "echo")}, got) // a filtered list is the caller's own
	close(proceed)
	if r := first.ReadReply(); r.Status != 200 || !strings.Contains(r.Body, `"id":1`) {
		t.Errorf("the first: %d %s", r.Status, r.Body)
	}
}

// TestErrorsAreNotShared: what went wrong for the request that went upstream for all is its own. Each of the others asks.
func TestErrorsAreNotShared(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*testkit.Exchange, testkit.Message){
		"a failure":      func(x *testkit.Exchange, m testkit.Message) { x.JSON(500, result(string(m.ID), forAll, "broken")) },
		"an error":       func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, m.Refuse(-32603, "broken", "")) },
		"a broken reply": func(x *testkit.Exchange, _ testkit.Message) { x.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, nil)
			proceed := make(chan struct{})
			var asked atomic.Int64
			g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
				if asked.Add(1) > 1 { // not to be kept, so that who comes late asks, too
					x.JSON(200, result(string(m.ID), "", "echo"))
					return
				}
				select {
				case <-proceed:
				case <-x.ClientGone():
				}
				fail(x, m)
			})
			first := g.Dial(t)
			postModern(first, "admin", "1", "tools/list", "")
			g.Upstream.AwaitRequests(t, 1)
			var others []*testkit.RawClient
			for i := range 4 {
				c := g.Dial(t)
				postModern(c, []string{"admin", "viewer"}[i%2], fmt.Sprint(10+i), "tools/list", "")
				others = append(others, c)
			}
			g.awaitInProgress(t, 5)
			close(proceed)

			if r := first.ReadReply(); strings.Contains(r.Body, `"echo"`) {
				t.Errorf("the first: %d %s", r.Status, r.Body)
			}
			for i, c := range others {
				r := c.ReadReply()
				if r.Status != 200 || !strings.Contains(r.Body, fmt.Sprintf(`"id":%d,`, 10+i)) || !strings.Contains(r.Body, `"echo"`) {
					t.Errorf("request %d got %d %s", i, r.Status, r.Body)
				}
			}
			diff(t, "questions to the upstream", int64(5), asked.Load())
		})
	}
}

// TestCrossPrincipal is the matrix: who filled the cache against who asks, by scope. No answer made for one caller reaches
// another unless the server calls it public, and never past the policy.
func TestCrossPrincipal(t *testing.T) {
	t.Parallel()
	issuer := testkit.NewSigner(t)
	keys := authn.Options{
		JWT:       &authn.JWTOptions{Issuer: issuer.Issuer(), Audience: []string{"gateway"}, Key: issuer.PublicKeyPEM()},
		Anonymous: &authn.AnonymousOptions{Roles: []string{"viewer"}},
	}
	for _, role := range []string{"admin", "analyst"} {
		keys.APIKeys = append(keys.APIKeys, authn.APIKey{
			ID: role, Hash: authn.HashSecret(secretOf(role)), Subject: role + "@example.com", Roles: []string{role},
		})
	}
	token := func(subject string) string {
		return "Authorization: Bearer " + issuer.Sign(map[string]any{
			"aud": "gateway", "sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
	}
	callers := map[string]string{
		"key admin": bearer("admin"), "key analyst": bearer("analyst"), "token ada": token("ada"), "token bob": token("bob"), "anonymous": "",
	}
	for _, fields := range []string{forAll, forOne} {
		var revoked atomic.Bool
		g := newCached(t, func(s *setup) {
			a, err := authn.New(keys)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(a.Close)
			s.Authenticator = a
			s.Decider = deciderFunc(func(in *authz.Input) authz.Decision {
				return authz.Decision{Allow: !revoked.Load() || in.Principal.ID != "bob", Obligations: authz.Obligations{CacheTTL: -1}}
			})
		})
		g.clock.Stop()
		open := make(chan struct{})
		close(open)
		g.held(fields, open)
		ask := func(line string) *testkit.Reply {
			c := g.Dial(t)
			lines := []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"}
			if line != "" {
				lines = append(lines, line)
			}
			c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, lines...)
			return c.ReadReply()
		}
		for filler, credential := range callers {
			if err := g.cache.InvalidateAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			filled := ask(credential)
			for other, credential := range callers {
				r := ask(credential)
				shared := r.Body == filled.Body
				if want := fields == forAll || other == filler; shared != want {
					t.Errorf("%s: filled by %s, asked by %s: shared %v, want %v: %s", fields, filler, other, shared, want, r.Body)
				}
			}
		}
		revoked.Store(true)
		if r := ask(callers["token bob"]); r.Status != 403 || strings.Contains(r.Body, "for-") {
			t.Errorf("%s: after the revocation bob got %d %s", fields, r.Status, r.Body)
		}
	}
}

// TestCacheOfLegacyServers: results that say nothing of their freshness are kept where the configuration does.
func TestCacheOfLegacyServers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, scope string
		lines       [3]string
		want        [3]string
	}{
		{"apart", "", [3]string{}, [3]string{"MISS", "HIT", "MISS"}},
		{"shared", "public", [3]string{}, [3]string{"MISS", "HIT", "HIT"}},
		{"sessions", "", [3]string{"Mcp-Session-Id: a", "Mcp-Session-Id: b", "Mcp-Session-Id: b"}, [3]string{"MISS", "MISS", "MISS"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newCached(t, func(s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.CacheScope, o.CacheTTL = test.scope, time.Minute }
			})
			g.answerTools("")
			var got [3]string
			for i, role := range []string{"admin", "admin", "viewer"} {
				lines := []string{bearer(role)}
				if test.lines[i] != "" {
					lines = append(lines, test.lines[i])
				}
				c := g.Dial(t)
				c.Post("/mcp", legacyCall("1", "tools/list", ""), lines...)
				got[i] = c.ReadReply().Header.Value("X-Cache")
			}
			diff(t, "X-Cache", test.want, got)
		})
	}
}

// TestCacheOfResources: a resource that was read is kept by its URI, until the server says that it has changed.
func TestCacheOfResources(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	g.Upstream.On("resources/read", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete",%s,"contents":[]}}`, m.ID, forAll))
	})
	read := func(uri string) string {
		c := g.Dial(t)
		postModern(c, "admin", "1", "resources/read", `"uri":"`+uri+`"`, "Mcp-Name: "+uri)
		return readAnswer(c).Cache
	}
	diff(t, "by URI", []string{"MISS", "HIT", "MISS"}, []string{read("a:1"), read("a:1"), read("a:2")})

	for _, what := range []string{"tools/list_changed", "prompts/list_changed", "resources/list_changed", "resources/updated"} {
		diff(t, "before "+what, "HIT", read("a:1"))
		g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) {
			x.Stream()
			x.Event(`{"jsonrpc":"2.0","method":"notifications/` + what + `","params":{}}`)
			x.Event(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"content":[]}}`)
		})
		c := g.Dial(t)
		postModern(c, "admin", "1", "tools/call", `"name":"echo"`, "Mcp-Name: echo")
		c.ReadReply()
		diff(t, "after "+what, "MISS", read("a:1"))
	}
}

// TestEarlyRefresh: the nearer the end of a lifetime the likelier is a refresh, one at a time, and its failure costs nothing.
func TestEarlyRefresh(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	var broken atomic.Bool
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		if broken.Load() {
			x.Reset()
			return
		}
		g.clock.Advance(2 * time.Second) // what it costs
		x.JSON(200, result(string(m.ID), forAll, "echo"))
	})
	g.clock.Stop()
	g.list(t, "admin", "1")
	broken.Store(true)
	g.clock.Advance(time.Minute - 100*time.Millisecond)
	for range 20 {
		if len(g.Upstream.Requests())-1 == 2 {
			break // more would open the breaker
		}
		if got := g.list(t, "admin", "2"); got.Cache != "HIT" || strings.Contains(got.Body, "error") {
			t.Fatalf("an early refresh that failed: %+v", got)
		}
	}
	failed := len(g.Upstream.Requests()) - 1
	broken.Store(false)
	for range 20 {
		g.list(t, "admin", "3")
	}
	if refreshed := len(g.Upstream.Requests()) - 1 - failed; failed < 2 || refreshed != 1 {
		t.Errorf("%d refreshes failed and %d did not, want some and 1", failed, refreshed)
	}
}

// locked is a cache whose entries another gateway is refreshing.
type locked struct{ *cachemw.Cache }

func (locked) TryRefresh(context.Context, cachemw.Key, cachemw.Entry) bool { return false }

// TestEarlyRefreshElsewhere: while another gateway has the lock of an entry, nobody here refreshes it.
func TestEarlyRefreshElsewhere(t *testing.T) {
	t.Parallel()
	c := newCached(t, func(s *setup) { s.Cache = locked{s.Cache.(*cachemw.Cache)} })
	c.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		c.clock.Advance(2 * time.Second) // what it costs
		x.JSON(200, result(string(m.ID), forAll, "echo"))
	})
	c.clock.Stop()
	c.list(t, "admin", "1")
	c.clock.Advance(time.Minute - 100*time.Millisecond)
	for range 20 { // each would refresh it by 95 in 100
		diff(t, "X-Cache", "HIT", c.list(t, "admin", "2").Cache)
	}
	diff(t, "questions to the upstream", 1, len(c.Upstream.Requests()))
}

// TestCacheKeyHeader is sent when it is asked for.
func TestCacheKeyHeader(t *testing.T) {
	t.Parallel()
	g := newCached(t, func(s *setup) { s.CacheKeys = true })
	g.answerTools(forAll)
	c := g.Dial(t)
	var keys []string
	for range 2 {
		postModern(c, "admin", "1", "tools/list", "")
		keys = append(keys, c.ReadReply().Header.Value("X-Cache-Key"))
	}
	if len(keys[0]) != 2*len(cachemw.Key{}) || len(keys[1]) != len(keys[0]) {
		t.Errorf("keys %q", keys)
	}
}
