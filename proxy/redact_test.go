package proxy_test

import (
	"strings"
	"testing"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

// redacting is a policy that allows everything and wants some of it masked in tool calls and on streams.
func redacting(t *testing.T, rules ...authz.RedactRule) deciderFunc {
	t.Helper()
	r, err := authz.NewRedaction(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return func(in *authz.Input) authz.Decision {
		d := authz.Decision{Allow: true, Rule: "test", Obligations: authz.Obligations{CacheTTL: -1}}
		if in.Phase == authz.PhaseCall && in.Action != "tool:list" && in.Call.Method != "initialize" {
			d.Obligations.Redact = r
		}
		return d
	}
}

// TestResultsAreRedacted sends one result in all the ways in which a server may answer.
func TestResultsAreRedacted(t *testing.T) {
	t.Parallel()
	const reply = `{"jsonrpc":"2.0", "id":1,"result":{"content":[{"type":"text","text":"{\"ssn\": \"078\", \"n\":1.50}"}],` +
		`"structuredContent":{"ssn":"078","pin":[12,true], "n":1.50,"note":"call 555-1234"},"vendor":1e400}}`
	const want = `{"jsonrpc":"2.0", "id":1,"result":{"content":[{"type":"text","text":"{\"ssn\": \"[redacted]\", \"n\":1.50}"}],` +
		`"structuredContent":{"ssn":"[redacted]","pin":[0,false], "n":1.50,"note":"call [redacted]"},"vendor":1e400}}`
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) {
				s.Decider = redacting(t, authz.RedactRule{Path: "$.ssn"}, authz.RedactRule{In: "result", Path: "$.pin"},
					authz.RedactRule{Pattern: `\d{3}-\d{4}`})
			})
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) { form.send(x, reply) })
			c := g.Dial(t)
			c.Post("/mcp", legacyCall("1", "tools/call", `"name":"echo"`), bearer("admin"))
			diff(t, "reply", strings.Replace(form.body(want), "id: 7\n", "", 1), c.ReadReply().Body)
			diff(t, "outcome", audit.OutcomeAllowed, g.AwaitEvents(t, 1)[0].Outcome)
		})
	}
}

// TestFramesThatCannotBeRedacted: with a demand, what is not understood does not pass.
func TestFramesThatCannotBeRedacted(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) { s.Decider = redacting(t, authz.RedactRule{In: "result", Path: "$.ssn"}) })
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Write([]byte("id: 1\ndata:\n\ndata: ssn 078\n\ndata: {\"id\":1,\"result\":{\"structuredContent\":{\"ssn\":1,\"ssn\":2}}}\n\n" +
			"id: 2\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\ndata: \"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ssn 078\"}]}}\n\ndata: {\"ssn\":"))
	})
	c := g.Dial(t)
	c.Post("/mcp", legacyCall("1", "tools/call", `"name":"echo"`), bearer("admin"))
	diff(t, "reply", "data: \n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\ndata: \"result\":{\"content\":[{\"type\":\"text\",\"text\":\"[redacted]\"}]}}\n\n",
		c.ReadReply().Body)
	diff(t, "details", `{"frames":5,"frames_dropped":3}`, string(g.AwaitEvents(t, 1)[0].Details))
}

// TestStreamsAreRedacted: what is sent again on a stream of its own is masked by the decision about the stream.
func TestStreamsAreRedacted(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) { s.Decider = redacting(t, authz.RedactRule{Path: "$.ssn"}) })
	g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Write([]byte("id: 3\ndata: {\"id\":1,\"result\":{\"structuredContent\":{\"ssn\":\"078\"}}}\n\n"))
	})
	c := g.Dial(t)
	c.Send("GET", "/mcp", "", bearer("admin"), "Accept: text/event-stream", "Last-Event-ID: 2")
	diff(t, "reply", "id: 3\ndata: {\"id\":1,\"result\":{\"structuredContent\":{\"ssn\":\"[redacted]\"}}}\n\n", c.ReadReply().Body)
	g.AwaitEvents(t, 2)
}

// TestArgumentsAreRedacted: the server sees masked arguments, in the body and in no header.
func TestArgumentsAreRedacted(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) {
		s.Decider = redacting(t, authz.RedactRule{In: "arguments", Path: "$.card"}, authz.RedactRule{In: "arguments", Pattern: "secret-[a-z]+"})
		s.RecordArguments = func(arguments []byte) []byte { return append([]byte(nil), arguments...) }
	})
	c := g.Dial(t)
	postModern(c, "admin", "1", "tools/call", `"name":"echo","arguments":{"card" : 4111,"text":"a secret-word","n":1.0}`, "Mcp-Name: echo",
		"Mcp-Param-Number: 4111", "Mcp-Param-Card: x", "Mcp-Param-Word: =?base64?c2VjcmV0LXdvcmQ=?=", "Mcp-Param-N: 1.0")
	diff(t, "status", 200, c.ReadReply().Status)

	got := g.Upstream.Requests()[0]
	const arguments = `"arguments":{"card" : 0,"text":"a [redacted]","n":1.0}`
	if !strings.Contains(string(got.Body), arguments) || strings.Contains(string(got.Body), "4111") {
		t.Errorf("the server got %s", got.Body)
	}
	params := map[string]string{}
	for _, name := range []string{"Mcp-Param-Number", "Mcp-Param-Card", "Mcp-Param-Word", "Mcp-Param-N"} {
		params[name] = got.Header.Value(name)
	}
	diff(t, "headers", map[string]string{"Mcp-Param-Number": "", "Mcp-Param-Card": "", "Mcp-Param-Word": "", "Mcp-Param-N": "1.0"}, params)
	diff(t, "recorded", `{"card" : 0,"text":"a [redacted]","n":1.0}`, string(g.Events()[0].Arguments))
}

// TestRedactionThatCannotBeDone is refused before anything is sent.
func TestRedactionThatCannotBeDone(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) {
		s.Decider = redacting(t, authz.RedactRule{Path: "$.ssn"})
		s.Server = func(o *proxy.ServerOptions) { o.Passthrough = []string{"/files"} }
	})
	c := g.Dial(t)
	for i, call := range []string{
		legacyCall("1", "prompts/list", ""), legacyCall("2", "completion/complete", `"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":"b"}`),
		legacyCall("3", "vendor/do", `"x":1`), `{"jsonrpc":"2.0","id":4,"result":{}}`,
	} {
		c.Post("/mcp", call, bearer("admin"))
		diff(t, call, 403, c.ReadReply().Status)
		e := g.AwaitEvents(t, i+1)[i]
		diff(t, call, []any{"deny", authz.ReasonObligation, audit.OutcomeDenied}, []any{e.Decision, e.Reason, e.Outcome})
	}
	c.Send("GET", "/files", "", bearer("admin"))
	diff(t, "passthrough", 403, c.ReadReply().Status)
	diff(t, "requests of the server", 0, len(g.Upstream.Requests()))
}
