package proxy_test

import (
	"testing"

	"sark/authz"
	"sark/internal/testkit"
)

// refusedExchanges are messages that are well formed and belong to nothing that the caller may go on with.
func refusedExchanges() map[string]failure {
	sessions := func(t *testing.T, s *setup) { s.Sessions = newSessions(t) }
	modern := func(c *testkit.RawClient) {
		postModern(c, "analyst", `"call-1"`, "tools/call", `"name":"echo"`, "Mcp-Name: echo")
	}
	return map[string]failure{
		"batch-refused": {
			setup: func(_ *testing.T, s *setup) { s.AllowBatch, s.MaxBatch = true, 1 },
			send:  post("[" + allowedCall + "," + allowedCall + "]"), id: `""`,
		},
		"era-unserved": {
			setup: func(_ *testing.T, s *setup) { s.Eras = []string{"legacy"} },
			send:  modern, result: true,
		},
		"task-foreign": {
			setup:  sessions,
			send:   post(`{"jsonrpc":"2.0","id":"call-1","method":"tasks/get","params":{"taskId":"somebody's"}}`),
			result: true,
		},
		"response-unasked": {setup: sessions, send: post(`{"jsonrpc":"2.0","id":"call-1","result":{"action":"accept"}}`)},
		"streams-many": {
			setup: func(_ *testing.T, s *setup) { s.MaxStreams = 1 },
			begin: func(t *testing.T, g *gateway) func() {
				g.Upstream.On("GET", holdStream)
				c := g.Dial(t)
				c.Send("GET", "/mcp", "", bearer("analyst"), "Accept: text/event-stream")
				c.ReadHead().ReadData()
				return func() {
					c.Close()
					g.AwaitEvents(t, 3)
				}
			},
			send:   func(c *testkit.RawClient) { c.Send("GET", "/mcp", "", bearer("analyst"), "Accept: text/event-stream") },
			before: 1, plain: true, forwarded: true, header: map[string]string{"Retry-After": "10"},
		},
		"input-denied": {
			setup: func(_ *testing.T, s *setup) { s.Decider = deciderFunc(noInput) },
			begin: answerWith(`{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{}}}}`),
			send:  modern, forwarded: true,
		},
		"input-unreadable": {
			begin: answerWith(`{"resultType":"input_required","inputRequests":7}`),
			send:  modern, forwarded: true,
		},
		"answer-asks": {begin: replyToCall(func(x *testkit.Exchange, _ testkit.Message) { x.JSON(200, sampling) }), forwarded: true},
		"answer-form": {
			begin: replyToCall(func(x *testkit.Exchange, m testkit.Message) {
				x.Reply(200, m.Answer(`{}`), "Content-Type: application/json", "Content-Encoding: br")
			}),
			forwarded: true,
		},
	}
}

// noInput allows everything but that servers ask the client's model.
func noInput(in *authz.Input) authz.Decision {
	return authz.Decision{Allow: in.Action != "server:sampling", Rule: "main.not_granted", Reason: "not granted", Obligations: authz.Obligations{CacheTTL: -1}}
}

// answerWith makes the upstream answer every call of echo with a result.
func answerWith(result string) func(*testing.T, *gateway) func() {
	return func(_ *testing.T, g *gateway) func() {
		g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, m.Answer(result)) })
		return func() {}
	}
}
