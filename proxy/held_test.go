package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/testkit"
)

// held is what is charged to principals now.
func (g *gateway) held(t testing.TB) int {
	t.Helper()
	return int(g.Metric(t, "sark_proxy_held_bytes"))
}

// largeCall is a call of the tool echo with an argument of so many bytes.
func largeCall(size int) string {
	return legacyCall("1", "tools/call", `"name":"echo","arguments":{"text":"`+strings.Repeat("a", size)+`"}`)
}

// largeTools is a list of one tool with a name of so many bytes.
func largeTools(size int) string { return `{"tools":[{"name":"` + strings.Repeat("a", size) + `"}]}` }

const (
	listTools = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	heldLimit = 200 << 10
	tooLarge  = 300 << 10
)

// TestHeldBytesAreRefused: wherever an exchange would hold more than its principal may, it ends with an event that says why, and
// the same with less goes through.
func TestHeldBytesAreRefused(t *testing.T) {
	t.Parallel()
	sized := func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, m.Answer(largeTools(tooLarge))) }
	chunked := func(x *testkit.Exchange, m testkit.Message) { x.ChunkedJSON(200, m.Answer(largeTools(tooLarge))) }
	event := func(x *testkit.Exchange, m testkit.Message) { x.Stream(); x.Event(m.Answer(largeTools(tooLarge))) }
	lines := func(x *testkit.Exchange, m testkit.Message) { // 150 KiB as they come, 150 KiB put together
		x.Stream()
		x.Event(strings.Replace(m.Answer(largeTools(150<<10)), ":", ":\n", 1))
	}
	tests := []struct {
		name, body string
		server     func(*testkit.Exchange, testkit.Message)
		status     int // 0: the stream is cut
	}{
		{"request", largeCall(tooLarge), nil, 503},
		{"list", listTools, sized, 503},
		{"list of unknown length", listTools, chunked, 503},
		{"list as event", listTools, event, 0},
		{"list as event of two lines", listTools, lines, 0},
		{"event", toolCall, event, 0},
		{"request and event", largeCall(150 << 10), func(x *testkit.Exchange, m testkit.Message) { x.Stream(); x.Event(m.Answer(largeTools(150 << 10))) }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(func(s *setup) { s.MaxHeldBytes = heldLimit }))
			if test.server != nil {
				g.Upstream.On("tools/call", test.server)
				g.Upstream.On("tools/list", test.server)
			}
			c := g.Dial(t)
			c.Post("/mcp", test.body, bearer("admin"))
			r := c.ReadReply()
			if cut := r.Err != nil; cut != (test.status == 0) || !cut && r.Status != test.status {
				t.Errorf("status %d, error %v, want %d", r.Status, r.Err, test.status)
			}
			if strings.Contains(r.Body, "aaaa") {
				t.Errorf("%d bytes reached the client", len(r.Body))
			}
			e := g.AwaitEvents(t, 1)[0]
			diff(t, "trail", []any{audit.OutcomeError, "held_bytes"}, []any{e.Outcome, e.Rule})
			diff(t, "refused", 1.0, g.Metric(t, "sark_proxy_held_refused_total"))

			g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) { x.Stream(); x.Event(m.Answer(largeTools(100 << 10))) })
			next := g.Dial(t)
			next.Post("/mcp", largeCall(100<<10), bearer("admin"))
			less := next.ReadReply()
			diff(t, "a call with less", []any{200, error(nil)}, []any{less.Status, less.Err})
		})
	}
}

// TestHeldBytesOfOnePrincipal: streams that are each within the limit are not within it together: one is cut, the others
// go on, and those of another principal are not touched.
func TestHeldBytesOfOnePrincipal(t *testing.T) {
	t.Parallel()
	// The event of 200 KiB takes a buffer of 256 KiB, of which 192 are charged: there is room for two.
	g := newGateway(t, permissive(func(s *setup) { s.MaxHeldBytes = 450 << 10 }))
	proceed := make(chan struct{})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		text := "data: " + m.Answer(largeTools(200<<10)) + "\n\n"
		x.Write([]byte(text[:200<<10]))
		select {
		case <-proceed:
		case <-x.ClientGone():
		}
		x.Write([]byte(text[200<<10:]))
	})
	clients := map[string][]*testkit.RawClient{}
	for _, role := range []string{"admin", "analyst", "admin", "analyst", "admin"} {
		c := g.Dial(t)
		c.Post("/mcp", toolCall, bearer(role))
		clients[role] = append(clients[role], c)
	}

	e := g.AwaitEvents(t, 1)[0]
	close(proceed)
	whole := map[string]int{}
	for role, list := range clients {
		for _, c := range list {
			if r := c.ReadReply(); r.Err == nil && len(r.Body) > 200<<10 {
				whole[role]++
			}
		}
	}

	diff(t, "event", []any{audit.OutcomeError, "held_bytes", "admin@example.com"}, []any{e.Outcome, e.Rule, e.UserID})
	diff(t, "whole replies", map[string]int{"admin": 2, "analyst": 2}, whole)
	g.AwaitEvents(t, 5)
}

// TestHeldBytesOutliveTheExchange: a reply in memory counts until its client has read it, long after its event.
func TestHeldBytesOutliveTheExchange(t *testing.T) {
	t.Parallel()
	const size = 24 << 20 // more than the sockets take
	g := newGateway(t, permissive(func(s *setup) { s.MaxBuffered, s.MaxHeldBytes = 32<<20, 40<<20 }))
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, m.Answer(largeTools(size))) })
	slow, next := g.Dial(t), g.Dial(t)
	slow.Post("/mcp", listTools, bearer("admin"))
	g.AwaitEvents(t, 1)
	if n := g.held(t); n < size-(64<<10) { // the first 64 KiB are free
		t.Errorf("%d bytes are held for a reply of %d that nobody has read", n, size)
	}
	next.Post("/mcp", listTools, bearer("admin"))
	diff(t, "another", 503, next.ReadReply().Status)
	diff(t, "the first", 200, slow.ReadReply().Status)
	slow.Post("/mcp", toolCall, bearer("admin")) // what was held is released by now
	slow.ReadReply()
	diff(t, "held in the end", 0, g.held(t))
}

// TestHeldBytesOfCachedReplies: what comes from the cache is held like any other reply, and a lower limit is in force at once.
func TestHeldBytesOfCachedReplies(t *testing.T) {
	t.Parallel()
	g := newCached(t, nil)
	g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, m.Answer(`{"ttlMs":60000,"cacheScope":"public","resultType":"complete",`+largeTools(tooLarge)[1:]))
	})
	ask := func() string {
		c := g.Dial(t)
		postModern(c, "admin", "1", "tools/list", "")
		r := c.ReadReply()
		return fmt.Sprint(r.Status, " ", r.Header.Value("X-Cache"))
	}
	first, hit := ask(), ask()
	o := g.handler.Options()
	o.MaxHeldBytes = heldLimit
	if err := g.handler.Reload(o); err != nil {
		t.Fatal(err)
	}
	diff(t, "replies", []string{"200 MISS", "200 HIT", "503 "}, []string{first, hit, ask()})
	diff(t, "rule", "held_bytes", g.AwaitEvents(t, 3)[2].Rule)
}

// TestHeldBytesOfBatches: the answers that are put together for a batch are held, and so is each of its messages' replies.
func TestHeldBytesOfBatches(t *testing.T) {
	t.Parallel()
	g := batching(t, permissive(func(s *setup) { s.MaxHeldBytes = heldLimit }))
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.ChunkedJSON(200, m.Answer(largeTools(tooLarge)))
	})
	c := g.Dial(t)
	c.Post("/mcp", "["+batchEcho+","+batchPing+"]", bearer("admin"))
	diff(t, "answers", []batchAnswer{{"1", 502, ""}, {"5", 0, ""}}, answersOf(t, c.ReadReply().Body))
	diff(t, "rule", "held_bytes", g.AwaitEvents(t, 2)[0].Rule)

	c.Post("/mcp", "["+largeCall(tooLarge)+"]", bearer("admin"))
	diff(t, "a large batch", 503, c.ReadReply().Status)
}

// TestHeldBytesAreReleased: however an exchange ends, nothing is held after it. newGateway looks at the end of every test.
func TestHeldBytesAreReleased(t *testing.T) {
	t.Parallel()
	partial := func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event("{}")
		x.Write([]byte("data: " + strings.Repeat("a", 200<<10)))
	}
	ends := map[string]struct {
		server func(*testkit.Exchange, testkit.Message)
		client func(*testkit.RawClient)
		change func(*setup)
	}{
		"the client leaves":     {server: func(x *testkit.Exchange, m testkit.Message) { partial(x, m); <-x.ClientGone() }, client: (*testkit.RawClient).Close},
		"the client breaks off": {server: func(x *testkit.Exchange, m testkit.Message) { partial(x, m); <-x.ClientGone() }, client: (*testkit.RawClient).Reset},
		"the server breaks off": {server: func(x *testkit.Exchange, m testkit.Message) { partial(x, m); x.Cut() }},
		"a panic": {
			server: func(x *testkit.Exchange, m testkit.Message) {
				x.Stream()
				x.Event("{}")
				x.Event(`{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{"a":"` + strings.Repeat("a", 200<<10) + `"}}`)
			},
			change: func(s *setup) { s.Decider = deciderFunc(panicOnSampling) },
		},
		"an end": {server: func(x *testkit.Exchange, m testkit.Message) { partial(x, m); x.Write([]byte("\n\n")) }},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(end.change))
			g.Upstream.On("tools/call echo", end.server)
			c := g.Dial(t)
			c.Post("/mcp", largeCall(100<<10), bearer("admin"))
			c.ReadHead().ReadData()
			if end.client != nil {
				end.client(c)
			}
			g.AwaitEvents(t, 1)
		})
	}
}

// panicOnSampling is a policy with a fault that shows within a stream.
func panicOnSampling(in *authz.Input) authz.Decision {
	if in.Action == "server:sampling" {
		panic("BUG: made by the test")
	}
	return authz.Decision{Allow: true, Obligations: authz.Obligations{CacheTTL: -1}}
}
