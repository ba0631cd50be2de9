package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"sark/internal/testkit"
)

// tasked is a gateway before a server whose tool "echo" creates the task that its argument names.
func tasked(t *testing.T, result string) *gateway {
	t.Helper()
	g := newGateway(t, permissive(func(s *setup) { s.Sessions = newSessions(t) }))
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.ChunkedJSON(200, m.Answer(fmt.Sprintf(result, "t-"+x.Request.Header.Value("X-Sark-Principal"))))
	})
	for _, method := range []string{"tasks/get", "tasks/cancel", "tasks/result", "tasks/update"} {
		g.Upstream.On(method, func(x *testkit.Exchange, m testkit.Message) {
			x.JSON(200, m.Answer(`{"taskId":"t-x","status":"working"}`))
		})
	}
	g.Upstream.On("tasks/list", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, m.Answer(`{"tasks":[{"taskId":"t-admin@example.com","status":"working"},{"taskId":"t-analyst@example.com"},{"taskId":"t-nobody"}],"nextCursor":"n"}`))
	})
	return g
}

// TestTasksBelongToWhoCreatedThem, in both shapes in which servers tell of a new task.
func TestTasksBelongToWhoCreatedThem(t *testing.T) {
	for name, result := range map[string]string{
		"2025-11-25": `{"task":{"taskId":"%s","status":"working","ttl":60000}}`,
		"2026-07-28": `{"resultType":"task","taskId":"%s","status":"working"}`,
	} {
		t.Run(name, func(t *testing.T) {
			g := tasked(t, result)
			for _, role := range []string{"admin", "analyst"} {
				c := g.Dial(t)
				c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","task":{"ttl":60000}}}`, bearer(role))
				if r := c.ReadReply(); r.Status != 200 {
					t.Fatalf("create: %d %s", r.Status, r.Body)
				}
			}
			ask := func(role, method, params string) string {
				c := g.Dial(t)
				c.Post("/mcp", legacyCall("7", method, params), bearer(role))
				return c.ReadReply().Body
			}
			const mine, unknown = `{"jsonrpc":"2.0","id":7,"result":{"taskId":"t-x","status":"working"}}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"unknown task \"t-%s\""}}`
			for _, method := range []string{"tasks/get", "tasks/cancel", "tasks/result", "tasks/update"} {
				diff(t, method+" of mine", mine, ask("admin", method, `"taskId":"t-admin@example.com"`))
				diff(t, method+" of another", fmt.Sprintf(unknown, "admin@example.com"), ask("analyst", method, `"taskId":"t-admin@example.com"`))
				diff(t, method+" of nobody", fmt.Sprintf(unknown, "none"), ask("admin", method, `"taskId":"t-none"`))
			}
			diff(t, "list", `{"jsonrpc":"2.0","id":7,"result":{"tasks":[{"taskId":"t-analyst@example.com"}],"nextCursor":"n"}}`, ask("analyst", "tasks/list", ""))
			diff(t, "requests that reached the server", 2+4+1, len(g.Upstream.Requests()))
		})
	}
}

// TestTaskSubscriptions: nobody listens to another's task.
func TestTaskSubscriptions(t *testing.T) {
	g := tasked(t, "%s")
	c := g.Dial(t)
	postModern(c, "admin", `"sub"`, "subscriptions/listen", `"notifications":{"taskIds":["t-analyst@example.com"]}`)

	diff(t, "reply", `{"jsonrpc":"2.0","id":"sub","error":{"code":-32602,"message":"unknown task \"t-analyst@example.com\""}}`, c.ReadReply().Body)

	e := g.AwaitEvents(t, 1)[0]
	diff(t, "event", []any{"task", "denied"}, []any{e.Rule, string(e.Outcome)})
}

// TestServerRepeatsATaskID: a server that hands one id to two callers does not hand over the task.
func TestServerRepeatsATaskID(t *testing.T) {
	for _, framed := range []bool{false, true} {
		g := tasked(t, "%s")
		g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
			const result = `{"resultType":"task","taskId":"same"}`
			if !framed {
				x.JSON(200, m.Answer(result))
				return
			}
			x.Stream()
			x.Event(m.Answer(result))
		})
		var got []bool
		for _, role := range []string{"admin", "analyst"} {
			c := g.Dial(t)
			c.Post("/mcp", toolCall, bearer(role))
			r := c.ReadReply()
			got = append(got, strings.Contains(r.Body, "same"))
		}
		diff(t, "who was told of the task", []bool{true, false}, got)
		diff(t, "outcome", "upstream_failed", string(g.AwaitEvents(t, 2)[1].Outcome))
	}
}

// TestResponsesAnswerOpenQuestions: a client's answer goes to the server once, in the session that was asked.
func TestResponsesAnswerOpenQuestions(t *testing.T) {
	g := bound(t)
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","id":"a/1","method":"elicitation/create","params":{"message":"sure?"}}`)
		x.Event(m.Answer(`{"content":[]}`))
	})
	id := begin(t, g, "admin")
	other := begin(t, g, "admin")
	foreign := begin(t, g, "analyst")
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"), "Mcp-Session-Id: "+id)
	c.ReadReply()
	respond := func(role, session, rpcID string) int {
		c := g.Dial(t)
		c.Post("/mcp", `{"jsonrpc":"2.0","id":`+rpcID+`,"result":{"action":"accept"}}`, bearer(role), "Mcp-Session-Id: "+session)
		return c.ReadReply().Status
	}

	got := []int{
		respond("admin", id, `"other"`), respond("admin", other, `"a/1"`), respond("analyst", foreign, `"a/1"`),
		respond("admin", id, `"a\/1"`), // however it is escaped
		respond("admin", id, `"a/1"`),  // it was answered
	}

	diff(t, "statuses", []int{400, 400, 400, 202, 400}, got)
	diff(t, "answers that reached the server", 1, g.Upstream.Calls()["response"])
}

// TestTaskResultIsGone: the stateless era has no tasks/result, and says so whatever the task.
func TestTaskResultIsGone(t *testing.T) {
	g := tasked(t, "%s")
	c := g.Dial(t)
	postModern(c, "admin", "7", "tasks/result", `"taskId":"t-none"`)

	r := c.ReadReply()

	diff(t, "reply", []any{404, true}, []any{r.Status, strings.Contains(r.Body, "-32601")})
}
