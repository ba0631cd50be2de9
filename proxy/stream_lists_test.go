package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"sark/authz"
	"sark/internal/testkit"
)

// hiding is a policy that allows everything but shows only what it is not told to hide.
func hiding(names ...string) deciderFunc {
	return func(in *authz.Input) authz.Decision {
		d := authz.Decision{Allow: true, Rule: "test", Obligations: authz.Obligations{CacheTTL: -1}}
		for _, n := range names {
			if in.Phase == authz.PhaseList && (in.Tool.Name == n || in.Resource.ID == n) {
				d.Allow = false
			}
		}
		return d
	}
}

// listCase is a list result with what is left of it, and with what the trail counts.
type listCase struct {
	name, method string
	reply, want  string
	details      string
}

func listCases() []listCase {
	return []listCase{
		{
			"tools", "tools/list",
			`{"jsonrpc":"2.0", "id":1,"result":{"tools":[{"name":"wipe","n":1},{"n":1.0e2,"name":"echo"} , {"name":"w\u0069pe"}],"nextCursor":"c\u0041/","vendor":{"n":1.50},"cacheScope":"public","ttlMs":60000.0}}`,
			`{"jsonrpc":"2.0", "id":1,"result":{"tools":[{"n":1.0e2,"name":"echo"}],"nextCursor":"c\u0041/","vendor":{"n":1.50},"cacheScope":"private","ttlMs":60000.0}}`,
			`"items":3,"items_hidden":2`,
		},
		{
			"all hidden", "prompts/list",
			`{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"hidden"}]}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"prompts":[]}}`,
			`"items":1,"items_hidden":1`,
		},
		{
			"nothing hidden", "resources/list",
			`{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"a:1" ,"name":"wipe"}], "nextCursor":null}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"a:1" ,"name":"wipe"}], "nextCursor":null}}`,
			`"items":1`,
		},
		{
			"templates", "resources/templates/list",
			`{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"secret:{id}"},{"uriTemplate":"a:{id}"}]}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"a:{id}"}]}}`,
			`"items":2,"items_hidden":1`,
		},
		{
			"null", "tools/list",
			`{"jsonrpc":"2.0","id":1,"result":{"tools":null}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`,
			``,
		},
		{
			"error", "tools/list",
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad cursor"}}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad cursor"}}`,
			``,
		},
	}
}

// forms are the ways a server may send its answer, and how the answer stands there.
func forms() map[string]struct {
	send func(x *testkit.Exchange, message string)
	body func(message string) string
	more string // what the trail counts besides
} {
	asIs := func(m string) string { return m }
	type form = struct {
		send func(x *testkit.Exchange, message string)
		body func(message string) string
		more string
	}
	return map[string]form{
		"JSON":         {func(x *testkit.Exchange, m string) { x.JSON(200, m) }, asIs, ""},
		"chunked JSON": {func(x *testkit.Exchange, m string) { x.ChunkedJSON(200, m) }, asIs, ""},
		"mislabelled":  {func(x *testkit.Exchange, m string) { x.Reply(200, m, "Content-Type: text/plain") }, asIs, ""},
		"events": {func(x *testkit.Exchange, m string) {
			x.Stream()
			x.Write([]byte(": hello\nid: 7\ndata: " + m + "\nvendor: x\n\n"))
		}, func(m string) string { return ": hello\nid: 7\ndata: " + m + "\nvendor: x\n\n" }, `"frames":1`},
	}
}

func TestListsAreFiltered(t *testing.T) {
	t.Parallel()
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe", "hidden", "secret:{id}") })
			c := g.Dial(t)
			for i, list := range listCases() {
				g.Upstream.On(list.method, func(x *testkit.Exchange, _ testkit.Message) { form.send(x, list.reply) })
				c.Post("/mcp", legacyCall("1", list.method, ""), bearer("admin"))
				diff(t, list.name, form.body(list.want), c.ReadReply().Body)
				event := g.AwaitEvents(t, i+1)[i]
				details := strings.Trim(form.more+","+list.details, ",")
				if details != "" {
					details = "{" + details + "}"
				}
				diff(t, list.name+": details", details, string(event.Details))
			}
		})
	}
}

func TestListOfLines(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe") })
	g.Upstream.On("tools/list", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Write([]byte("data: {\"jsonrpc\":\"2.0\",\"id\":1,\r\nid: 1\r\ndata: \"result\":{\"tools\":[{\"name\":\"wipe\"},\r\ndata: {\"name\":\"echo\"}]}}\r\n\r\n"))
	})
	c := g.Dial(t)
	c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin"))
	events := testkit.ParseEvents(c.ReadReply().Body)
	diff(t, "event", []string{"1", "{\"jsonrpc\":\"2.0\",\"id\":1,\n\"result\":{\"tools\":[{\"name\":\"echo\"}]}}"}, []string{events[0].ID, events[0].Data})
}

func TestLongListIsFiltered(t *testing.T) {
	t.Parallel()
	var all, kept []string
	for i := range 3000 {
		name := "echo"
		if i%3 == 0 {
			name = "wipe"
		}
		item := fmt.Sprintf(`{"name":%q,"description":"%s %d"}`, name, strings.Repeat("x", 80), i)
		all = append(all, item)
		if name == "echo" {
			kept = append(kept, item)
		}
	}
	list := func(items []string) string {
		return `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + strings.Join(items, ",") + `]}}`
	}
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe") })
			g.Upstream.On("tools/list", func(x *testkit.Exchange, _ testkit.Message) { form.send(x, list(all)) })
			c := g.Dial(t)
			c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin"))
			if r := c.ReadReply(); r.Body != form.body(list(kept)) {
				t.Errorf("%d bytes are not the %d that should be left", len(r.Body), len(list(kept)))
			}
		})
	}
}

// unreadable are messages that two readers could understand differently, or that nobody understands.
func unreadable() []string {
	return []string{
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"wipe"}]}`,
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[]},"result":{"tools":[{"name":"wipe"}]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[],"Tools":[{"name":"wipe"}]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"tools":{"name":"wipe"}}}`,
		`[{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"wipe"}]}}]`,
		"\x1f\x8b\x08wipe",
	}
}

func TestUnreadableListIsNotShown(t *testing.T) {
	t.Parallel()
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe") })
			c := g.Dial(t)
			for i, message := range unreadable() {
				g.Upstream.On("tools/list", func(x *testkit.Exchange, _ testkit.Message) { form.send(x, message) })
				c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin"))
				r := c.ReadReply()
				if strings.Contains(r.Body, "wipe") {
					t.Errorf("%s came through: %d %s", message, r.Status, r.Body)
				}
				event := g.AwaitEvents(t, i+1)[i]
				if name == "events" {
					diff(t, "details", `{"frames":1,"frames_dropped":1}`, string(event.Details))
					continue
				}
				diff(t, "status", 502, r.Status)
				diff(t, "rule", "filter", event.Rule)
			}
		})
	}
}

// TestUnreadableMessagesPassElsewhere: where there is nothing to filter, bytes are not ours to judge.
func TestUnreadableMessagesPassElsewhere(t *testing.T) {
	t.Parallel()
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe") })
			c := g.Dial(t)
			for _, message := range unreadable() {
				g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) { form.send(x, message) })
				c.Post("/mcp", toolCall, bearer("admin"))
				diff(t, "body", form.body(message), c.ReadReply().Body)
			}
		})
	}
}

func TestRefusalOfAListPasses(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe") })
	g.Upstream.On("tools/list", func(x *testkit.Exchange, _ testkit.Message) {
		x.Reply(404, "no such session", "Content-Type: text/plain")
	})
	c := g.Dial(t)
	c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin"))
	r := c.ReadReply()
	diff(t, "reply", seen{404, []string{"Content-Type: text/plain"}, "no such session"}, seen{r.Status, headers(r.Header, "Content-Type"), r.Body})
}

// TestReplayedListIsFiltered: a resumed stream may carry the answer of a list (MCP 2025-11-25, "Resumability").
func TestReplayedListIsFiltered(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe") })
	g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Event(notification(1))
		for _, message := range unreadable() {
			x.Event(message)
		}
		x.Write([]byte("id: 9\ndata: " + `{"jsonrpc":"2.0","id":4,"result":{"tools":[{"name":"wipe"},{"name":"echo"}]}}` + "\n\n"))
		x.Event(`{"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"done"}]}}`)
		x.Write([]byte("data: " + `{"jsonrpc":"2.0","id":6,"result":{"tools":[{"name":"wipe"}]}}`)) // no blank line
	})
	c := g.Dial(t)
	openings()[1].open(c)
	var got []string
	for _, e := range testkit.ParseEvents(c.ReadReply().Body) {
		got = append(got, e.ID+e.Data)
	}
	want := []string{
		notification(1), `9{"jsonrpc":"2.0","id":4,"result":{"tools":[{"name":"echo"}]}}`,
		`{"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"done"}]}}`,
	}
	diff(t, "events", want, got)
	diff(t, "details", `{"frames":10,"frames_dropped":7,"items":2,"items_hidden":1}`, string(g.AwaitEvents(t, 2)[1].Details))
}

func TestListOverTheLimit(t *testing.T) {
	t.Parallel()
	message := `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"` + strings.Repeat("x", 200<<10) + `"}]}}`
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(func(s *setup) { s.MaxBuffered = 100 << 10 }))
			g.Upstream.On("tools/list", func(x *testkit.Exchange, _ testkit.Message) { form.send(x, message) })
			c := g.Dial(t)
			c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin"))
			r := c.ReadReply()
			if name == "events" {
				diff(t, "error", "unexpected EOF", errText(r.Err))
			} else {
				diff(t, "status", 502, r.Status)
			}
			if len(r.Body) > 1000 {
				t.Errorf("%d bytes of the list came through", len(r.Body))
			}
			diff(t, "outcome", "upstream_failed", string(g.AwaitEvents(t, 1)[0].Outcome))
		})
	}
}
