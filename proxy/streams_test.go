package proxy_test

import (
	"fmt"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// TestStreamsOfOnePrincipal: who has as many lasting streams as one may have gets no other, until one ends.
func TestStreamsOfOnePrincipal(t *testing.T) {
	g := newGateway(t, permissive(func(s *setup) { s.MaxStreams = 2 }))
	g.Upstream.On("GET", holdStream)
	open := func(role string) (*testkit.RawClient, int) {
		c := g.Dial(t)
		c.Send("GET", "/mcp", "", bearer(role), "Accept: text/event-stream")
		return c, c.ReadHead().Status
	}
	first, a := open("admin")
	_, b := open("admin")
	_, c := open("admin")
	_, d := open("analyst")
	call := g.Dial(t)
	call.Post("/mcp", toolCall, bearer("admin")) // calls are not counted
	e := call.ReadReply().Status
	first.Close()
	g.AwaitEvents(t, 6) // three opened, one refused, one call, one closed
	_, f := open("admin")

	diff(t, "statuses", []int{200, 200, 429, 200, 200, 200}, []int{a, b, c, d, e, f})
}

// TestOldStreamEnds: a stream that has reached its age ends in order, so that its client opens another.
func TestOldStreamEnds(t *testing.T) {
	forEachOpening(t, func(t *testing.T, o opening) {
		if !o.long {
			return
		}
		g := newGateway(t, permissive(func(s *setup) { s.MaxStreamAge = time.Millisecond }))
		g.Upstream.On(o.key, holdStream)
		c := g.Dial(t)
		o.open(c)

		c.ReadReply() // fails the test when the stream is cut instead of ended

		diff(t, "events", o.endings(audit.OutcomeAllowed, 200), endings(g.AwaitEvents(t, 2)))
	})
}

// TestBusyStreamLeavesAnOpenEvent: an upstream that never falls silent leaves the open event in time all the same.
func TestBusyStreamLeavesAnOpenEvent(t *testing.T) {
	g := newGateway(t, permissive(func(s *setup) { s.OpenAfter = time.Nanosecond }))
	events := make(chan string)
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Relay(events)
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	head := c.ReadHead()
	events <- notification(10)
	head.ReadData()

	diff(t, "events", []ending{{Phase: audit.PhaseOpen}}, endings(g.AwaitEvents(t, 1)))

	close(events)
	c.Close()
	g.AwaitEvents(t, 2)
}

// TestStreamIsResumedByItsOwner: an event's id is no authority. It reaches the server with a session of the caller's and by no other
// way: not without a session, whose server would know nobody else, not in a session of somebody else, nor in another spelling.
func TestStreamIsResumedByItsOwner(t *testing.T) {
	g := bound(t)
	g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) { x.Stream() })
	id := begin(t, g, "admin")
	for _, test := range []struct {
		name, verb, body string
		lines            []string
		status           int
		told             string
	}{
		{"the owner", "GET", "", []string{bearer("admin"), "Mcp-Session-Id: " + id}, 200, "7"},
		{"another caller", "GET", "", []string{bearer("analyst"), "Mcp-Session-Id: " + id}, 404, ""},
		{"without a session", "GET", "", []string{bearer("analyst")}, 200, ""},
		{"with a call", "POST", allowedCall, []string{bearer("admin"), "Mcp-Session-Id: " + id, "Content-Type: application/json"}, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.Upstream.Requests())
			c := g.Dial(t)
			c.Send(test.verb, "/mcp", test.body, append(test.lines, "Accept: application/json, text/event-stream", "Last-Event-ID: 7", "Last_Event_ID: 7")...)
			diff(t, "status", test.status, c.ReadReply().Status)
			for _, r := range g.Upstream.Requests()[before:] {
				diff(t, "the server is told", []string{test.told, ""}, []string{r.Header.Value("Last-Event-Id"), r.Header.Value("Last_event_id")})
			}
			if forwarded := len(g.Upstream.Requests()) - before; forwarded != map[bool]int{true: 1}[test.status == 200] {
				t.Errorf("%d requests reached the server", forwarded)
			}
		})
	}
}

// TestStreamIsResumed: what a client knows of the last event reaches the server, and the replay comes with ids and retry.
func TestStreamIsResumed(t *testing.T) {
	g := bound(t)
	const replay = ": hello\nid: e-8\nretry: 500\ndata:\n\nid: e-9\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n"
	g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Write([]byte(replay))
	})
	id := begin(t, g, "admin")
	c := g.Dial(t)
	c.Send("GET", "/mcp", "", bearer("admin"), "Accept: text/event-stream", "Mcp-Session-Id: "+id, "Last-Event-ID: e-7")

	body := c.ReadReply().Body

	diff(t, "replay", replay, body)
	r := g.Upstream.Requests()[1]
	diff(t, "what the server was asked", fmt.Sprint("GET e-7 ", id), fmt.Sprint(r.Method, " ", r.Header.Value("Last-Event-ID"), " ", r.Header.Value("Mcp-Session-Id")))
}
