package proxy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sark/internal/testkit"
	"sark/proxy"
)

// batching is a gateway that accepts batches.
func batching(t *testing.T, change func(*setup)) *gateway {
	t.Helper()
	return newGateway(t, func(s *setup) {
		s.AllowBatch = true
		if change != nil {
			change(s)
		}
	})
}

// batchAnswer is what a client learns from one answer of a batch.
type batchAnswer struct {
	ID   string
	Code int
	Rule string
}

func answersOf(t *testing.T, body string) []batchAnswer {
	t.Helper()
	var list []struct {
		ID    json.RawMessage
		Error struct {
			Code int
			Data struct{ Rule string }
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var got []batchAnswer
	for _, a := range list {
		got = append(got, batchAnswer{string(a.ID), a.Error.Code, a.Error.Data.Rule})
	}
	return got
}

const (
	batchEcho   = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}`
	batchWipe   = `{"jsonrpc":"2.0","id":"two","method":"tools/call","params":{"name":"wipe"}}`
	batchNotice = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	batchTwice  = `{"jsonrpc":"2.0","id":4,"id":4,"method":"ping"}`
	batchPing   = `{"jsonrpc":"2.0","id":5,"method":"ping"}`
	batchInit   = `{"jsonrpc":"2.0","id":6,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
)

// TestBatchIsTakenApart: each message has its own decision, event and request to the server; refusals stand where the
// answer would, under the id of their message.
func TestBatchIsTakenApart(t *testing.T) {
	for _, sse := range []bool{false, true} {
		g := batching(t, func(s *setup) { s.MCP.SSE = sse })
		c := g.Dial(t)
		body := "[" + strings.Join([]string{batchEcho, batchWipe, batchNotice, batchTwice, "[" + batchPing + "]", batchInit, batchPing}, " , ") + "]"

		c.Post("/mcp", body, bearer("analyst"))
		r := c.ReadReply()

		diff(t, "status", 200, r.Status)
		diff(t, "answers", []batchAnswer{
			{"1", 0, ""}, {`"two"`, 403, "main.not_granted"}, {"4", -32600, "parse"}, {`""`, -32600, "parse"}, {"6", -32600, "batch"}, {"5", 0, ""},
		}, answersOf(t, r.Body))
		diff(t, "what reached the server", map[string]int{"tools/call echo": 1, "notifications/initialized": 1, "ping": 1}, g.Upstream.Calls())
		var got [][3]string
		ids := map[string]bool{}
		for _, e := range g.AwaitEvents(t, 7) {
			got = append(got, [3]string{e.Method, e.Decision, string(e.Outcome)})
			ids[e.ExchangeID.String()] = true
		}
		diff(t, "events", [][3]string{
			{"tools/call", "allow", "allowed"},
			{"tools/call", "deny", "denied"},
			{"notifications/initialized", "allow", "allowed"},
			{"", "", "denied"},
			{"", "", "denied"},
			{"initialize", "", "denied"},
			{"ping", "allow", "allowed"},
		}, got)
		diff(t, "exchanges", 7, len(ids))
		c.Post("/mcp", batchPing, bearer("analyst")) // the connection is as good as before
		diff(t, "status of the next request", 200, c.ReadReply().Status)
	}
}

// TestBatchWithoutAnswers: notifications are accepted with 202; a refusal is told even so.
func TestBatchWithoutAnswers(t *testing.T) {
	for body, want := range map[string]int{
		"[" + batchNotice + "," + batchNotice + "]":                                   202,
		"[" + batchNotice + `,{"jsonrpc":"2.0","method":"vendor/secret"}]`:            403,
		`[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]`: 202,
	} {
		g := batching(t, nil)
		c := g.Dial(t)
		c.Post("/mcp", body, bearer("analyst"))

		if r := c.ReadReply(); r.Status != want {
			t.Errorf("%s: status %d, want %d: %s", body, r.Status, want, r.Body)
		}

		diff(t, "events", 2, len(g.AwaitEvents(t, 2)))
	}
}

// TestBatchRefused: a batch as a whole is refused before any of its messages is looked at.
func TestBatchRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		body  string
		lines []string
		any   bool
		want  int
	}{
		"revision without batches":          {body: "[" + batchPing + "]", lines: []string{"Mcp-Protocol-Version: 2025-11-25"}, want: 400},
		"that revision, when any is served": {body: "[" + batchPing + "]", lines: []string{"Mcp-Protocol-Version: 2025-11-25"}, any: true, want: 200},
		"stateless revision":                {body: "[" + batchPing + "]", lines: []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: ping"}, any: true, want: 400},
		"revision with batches":             {body: "[" + batchPing + "]", lines: []string{"Mcp-Protocol-Version: 2025-03-26"}, want: 200},
		"empty":                             {body: "[]", want: 400},
		"too many":                          {body: "[" + batchPing + "," + batchPing + "," + batchPing + "]", want: 400},
		"broken":                            {body: "[" + batchPing + ",{]", want: 400},
		"bytes after it":                    {body: "[" + batchPing + "]]", want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			g := batching(t, func(s *setup) { s.BatchAnyVersion, s.MaxBatch = tt.any, 2 })
			c := g.Dial(t)
			c.Post("/mcp", tt.body, append(tt.lines, bearer("analyst"))...)
			if r := c.ReadReply(); r.Status != tt.want {
				t.Errorf("status %d, want %d: %s", r.Status, tt.want, r.Body)
			}
			if calls := g.Upstream.Calls(); (len(calls) > 0) != (tt.want == 200) {
				t.Errorf("the server got %v", calls)
			}
			diff(t, "events", 1, len(g.AwaitEvents(t, 1)))
		})
	}
}

// TestBatchCannotAskTheClient: a client that waits for the answer to its batch cannot be asked meanwhile.
func TestBatchCannotAskTheClient(t *testing.T) {
	g := batching(t, permissive(func(s *setup) { s.MCP.Sessions = false }))
	refused := make(chan testkit.Message, 1) // buffered: the server does not wait for the test
	g.Upstream.On("response", func(x *testkit.Exchange, m testkit.Message) {
		refused <- m
		x.Reply(202, "")
	})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","id":"ask","method":"sampling/createMessage","params":{}}`)
		x.Event(m.Answer(`{"content":[]}`))
	})
	c := g.Dial(t)
	c.Post("/mcp", "["+batchEcho+"]", bearer("admin"))

	r := c.ReadReply()

	diff(t, "reply", `[{"jsonrpc":"2.0","id":1,"result":{"content":[]}}]`, r.Body)
	diff(t, "id of the refusal", `"ask"`, string(testkit.Wait(t, 0, refused).ID))
}

// TestBatchOfALostSession: the end of a session is told as ever, so that the client begins another.
func TestBatchOfALostSession(t *testing.T) {
	g := batching(t, func(s *setup) { s.Sessions = newSessions(t) })
	c := g.Dial(t)
	c.Post("/mcp", "["+batchEcho+","+batchPing+"]", bearer("analyst"), "Mcp-Session-Id: lost")

	r := c.ReadReply()

	diff(t, "reply", []any{404, ""}, []any{r.Status, r.Body})
}

// TestBatchOfLargeAnswers: what comes together in memory is bounded.
func TestBatchOfLargeAnswers(t *testing.T) {
	g := batching(t, permissive(func(s *setup) { s.MaxBuffered = 4 << 10 }))
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.ChunkedJSON(200, m.Answer(`{"content":[{"type":"text","text":"`+strings.Repeat("x", 64<<10)+`"}]}`))
	})
	c := g.Dial(t)
	c.Post("/mcp", "["+batchEcho+","+batchPing+"]", bearer("admin"))

	r := c.ReadReply()

	diff(t, "answers", []batchAnswer{{"1", 502, ""}, {"5", 0, ""}}, answersOf(t, r.Body))
	diff(t, "outcome", "upstream_failed", string(g.AwaitEvents(t, 2)[0].Outcome))
}

// TestBatchWithoutRoom: messages for whose answers no room is left are refused, each with its error and its event, and the server
// does not see them. What was answered before stays.
func TestBatchWithoutRoom(t *testing.T) {
	for name, limit := range map[string]func(*setup){
		"one reply":     func(s *setup) { s.MaxBuffered = 4 << 10 },
		"one principal": func(s *setup) { s.MaxHeldBytes = 1 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			g := batching(t, permissive(limit))
			g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
				x.JSON(200, m.Answer(`{"content":[{"type":"text","text":"`+strings.Repeat("x", 40<<10)+`"}]}`))
			})
			c := g.Dial(t)
			notice := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`
			second := strings.Replace(batchEcho, `"id":1`, `"id":2`, 1)
			c.Post("/mcp", "["+strings.Join([]string{batchEcho, second, batchPing, notice}, ",")+"]", bearer("admin"))
			r := c.ReadReply()

			answers := answersOf(t, r.Body)
			want := []batchAnswer{{"1", 0, ""}, {"2", 0, ""}, {"5", 503, "batch_full"}}
			seen := 2
			if name == "one reply" {
				want[1], seen = batchAnswer{"2", 503, "batch_full"}, 1
			}
			diff(t, "answers", want, answers)
			diff(t, "at the server", map[string]int{"tools/call echo": seen}, g.Upstream.Calls())
			var refused []string
			for _, e := range g.AwaitEvents(t, 4) {
				if e.Rule == "batch_full" {
					refused = append(refused, e.Method)
				}
			}
			diff(t, "refused", []string{"tools/call", "ping", "notifications/progress"}[seen-1:], refused)
		})
	}
}

func BenchmarkBatch(b *testing.B) {
	addr := benchGateway(b, benchUpstream(b, replyJSON()), func(o *proxy.Options) { o.AllowBatch = true })
	body := "[" + strings.Repeat(batchPing+",", 9) + batchPing + "]"
	benchmark(b, addr, testkit.FormatRequest("POST", "/mcp", addr, body, bearer("admin"), "Content-Type: application/json"))
}
