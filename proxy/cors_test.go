package proxy_test

import (
	"strings"
	"testing"

	"sark/internal/testkit"
)

const page = "https://app.example"

// browser is a gateway whose one browser client is a page.
func browser(t *testing.T) *gateway {
	t.Helper()
	return newGateway(t, func(s *setup) { s.CORSOrigins = []string{page} })
}

func ask(g *gateway, t *testing.T, verb, target, body string, lines ...string) *testkit.Reply {
	t.Helper()
	c := g.Dial(t)
	if verb == "POST" {
		c.Post(target, body, lines...)
	} else {
		c.Send(verb, target, body, lines...)
	}
	return c.ReadReply()
}

func TestPreflight(t *testing.T) {
	g := browser(t)
	const asks = "Access-Control-Request-Headers: authorization, mcp-param-region, x-evil, mcp-param-bad()name"

	r := ask(g, t, "OPTIONS", "/mcp", "", "Origin: "+page, "Access-Control-Request-Method: POST", asks)

	h := r.Header
	diff(t, "reply", []any{204, page, "POST, GET, DELETE", "", "Origin"},
		[]any{r.Status, h.Value("Access-Control-Allow-Origin"), h.Value("Access-Control-Allow-Methods"), h.Value("Access-Control-Allow-Credentials"), h.Value("Vary")})
	allowed := h.Value("Access-Control-Allow-Headers")
	if !strings.Contains(allowed, "Authorization") || !strings.HasSuffix(allowed, ", mcp-param-region") {
		t.Errorf("allowed headers %q", allowed)
	}
	e := g.AwaitEvents(t, 1)[0]
	diff(t, "event", []any{"cors:preflight", "allowed", int32(204)}, []any{e.Action, string(e.Outcome), e.StatusCode})
	diff(t, "what the server got", map[string]int{}, g.Upstream.Calls())
}

// TestPreflightOfOthers: who is not on the list, and what is no preflight, gets no answer to it.
func TestPreflightOfOthers(t *testing.T) {
	g := browser(t)
	got := []int{
		ask(g, t, "OPTIONS", "/mcp", "", "Origin: https://evil.example", "Access-Control-Request-Method: POST").Status,
		ask(g, t, "OPTIONS", "/mcp", "", "Origin: "+page).Status,
		ask(g, t, "OPTIONS", "/other", "", "Origin: "+page, "Access-Control-Request-Method: POST").Status,
		ask(newGateway(t, nil), t, "OPTIONS", "/mcp", "", "Origin: "+page, "Access-Control-Request-Method: POST").Status,
	}

	diff(t, "statuses", []int{403, 405, 404, 403}, got)
}

// TestScriptsReadReplies: replies of every kind may be read by the scripts of the page, and by no others.
func TestScriptsReadReplies(t *testing.T) {
	g := browser(t)
	g.Upstream.On("ping", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, m.Answer(`{}`), "Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true")
	})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event(m.Answer(`{"content":[]}`))
	})
	origin, ping := "Origin: "+page, `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for name, tt := range map[string]struct {
		reply *testkit.Reply
		want  []any
	}{
		"reply":                {ask(g, t, "POST", "/mcp", ping, bearer("analyst"), origin), []any{200, page}},
		"stream":               {ask(g, t, "POST", "/mcp", toolCall, bearer("analyst"), origin), []any{200, page}},
		"challenge":            {ask(g, t, "POST", "/mcp", ping, origin), []any{401, page}},
		"denial":               {ask(g, t, "POST", "/mcp", ping, bearer("stranger"), origin), []any{200, page}},
		"request of no script": {ask(g, t, "POST", "/mcp", ping, bearer("analyst")), []any{200, ""}},
		"same origin":          {ask(g, t, "POST", "/mcp", ping, bearer("analyst"), "Origin: http://"+g.Addr), []any{200, ""}},
		"another origin":       {ask(g, t, "POST", "/mcp", ping, bearer("analyst"), "Origin: https://evil.example"), []any{403, ""}},
	} {
		h := tt.reply.Header
		diff(t, name, append(tt.want, ""), []any{tt.reply.Status, h.Value("Access-Control-Allow-Origin"), h.Value("Access-Control-Allow-Credentials")})
		if exposed := h.Value("Access-Control-Expose-Headers"); (exposed != "") != (tt.want[1] != "") || exposed != "" && !strings.Contains(exposed, "Mcp-Session-Id, WWW-Authenticate") {
			t.Errorf("%s exposes %q", name, exposed)
		}
	}
}
