package proxy_test

import (
	"strings"
	"testing"

	"sark/authz"
	"sark/internal/testkit"
)

// TestInputIsDecided: what a result of the stateless era asks of the client is asked of the policy first, in every form in
// which the result may come.
func TestInputIsDecided(t *testing.T) {
	const (
		sampling = `{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"sure?"}},"b":{"method":"sampling/createMessage","params":{"messages":[]}}}}`
		escaped  = `{"resultType":"input_\u0072equired","input\u0052equests":{"b":{"method":"sampling/createMessage","params":{}}}}`
		form     = `{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"sure?"}}},"requestState":"s"}`
		page     = `{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"https://pay.example/x","message":"pay"}}}}`
		evil     = `{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"https://evil.example/x","message":"pay"}}}}`
		plain    = `{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"http://pay.example/x","message":"pay"}}}}`
		twofold  = `{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list","method":"sampling/createMessage","params":{}}}}`
		odd      = `{"resultType":"input_required","inputRequests":[1]}`
	)
	forms := map[string]func(x *testkit.Exchange, message string){
		"JSON":    func(x *testkit.Exchange, m string) { x.JSON(200, m) },
		"chunked": func(x *testkit.Exchange, m string) { x.ChunkedJSON(200, m) },
		"events":  func(x *testkit.Exchange, m string) { x.Stream(); x.Event(m) },
	}
	policy := func(in *authz.Input) authz.Decision {
		if in.Action == "server:sampling" || in.Resource.Type == "url" && in.Resource.ID != "pay.example" {
			return authz.Decision{Rule: "test.input", Reason: "not to be asked"}
		}
		return authz.Decision{Allow: true, Obligations: authz.Obligations{CacheTTL: -1}}
	}
	for name, send := range forms {
		for _, tt := range []struct {
			result string
			rule   string // of the refusal; "" passes
		}{
			{sampling, "test.input"},
			{escaped, "test.input"},
			{form, ""},
			{page, ""},
			{evil, "test.input"},
			{plain, "elicitation_url"},
			{twofold, "unreadable"},
			{odd, "input"},
		} {
			g := newGateway(t, func(s *setup) { s.Decider = deciderFunc(policy) })
			g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) { send(x, m.Answer(tt.result)) })
			c := g.Dial(t)
			postModern(c, "admin", "3", "tools/call", `"name":"echo"`, "Mcp-Name: echo")

			body := c.ReadReply().Body

			if passed := strings.Contains(body, "Requests"); passed != (tt.rule == "") {
				t.Errorf("%s, %s: the client got %q", name, tt.result, body)
			}
			e := g.AwaitEvents(t, 1)[0]
			if tt.rule != "unreadable" && e.Rule != tt.rule {
				t.Errorf("%s, %s: the event names rule %q, want %q: %+v", name, tt.result, e.Rule, tt.rule, e)
			}
		}
	}
}

// TestInputResponsesAreCounted: the trail tells that a call carried answers of the client.
func TestInputResponsesAreCounted(t *testing.T) {
	g := newGateway(t, permissive(nil))
	c := g.Dial(t)
	postModern(c, "admin", "4", "tools/call", `"name":"echo","inputResponses":{"a":{"action":"accept"},"b":{"roots":[]}},"requestState":"s"`, "Mcp-Name: echo")
	c.ReadReply()

	wantDetails(t, g.AwaitEvents(t, 1)[0].Details, map[string]int{"input_responses": 2})
}
