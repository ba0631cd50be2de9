package proxy_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/internal/testkit"
)

// noSampling is a policy that allows everything but that servers ask the client's model.
func noSampling(in *authz.Input) authz.Decision {
	if in.Action == "server:sampling" {
		return authz.Decision{Rule: "test.sampling", Reason: "no sampling here"}
	}
	return authz.Decision{Allow: true, Obligations: authz.Obligations{CacheTTL: -1}}
}

// TestServerRequestsAreDecided: what a server asks of the client is asked of the policy first. The denied request does not
// reach the client, and the server is told in its place.
func TestServerRequestsAreDecided(t *testing.T) {
	g := newGateway(t, func(s *setup) {
		s.Decider = deciderFunc(noSampling)
		s.MCP.Sessions = true
	})
	refused := make(chan testkit.Message, 1) // buffered: the server's handler does not wait for the test
	g.Upstream.On("response", func(x *testkit.Exchange, m testkit.Message) {
		refused <- m
		x.Reply(202, "")
	})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","id":"ask-1","method":"sampling/createMessage","params":{"messages":[],"maxTokens":10}}`)
		x.Event(`{"jsonrpc":"2.0","id":"ask-2","method":"elicitation/create","params":{"message":"sure?"}}`)
		x.Event(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
		x.Event(`{"jsonrpc":"2.0","id":"ask-3","id":"ask-4","method":"sampling/createMessage","params":{}}`) // two readers, two messages
		x.Event(m.Answer(`{"content":[]}`))
	})
	id := begin(t, g, "admin")
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"), "Mcp-Session-Id: "+id)
	head := c.ReadHead()

	var got []string
	for {
		e, ok := head.ReadEvent()
		if !ok {
			break
		}
		got = append(got, e.Data)
	}

	want := []string{
		`{"jsonrpc":"2.0","id":"ask-2","method":"elicitation/create","params":{"message":"sure?"}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	answer := testkit.Wait(t, 0, refused)
	if string(answer.ID) != `"ask-1"` {
		t.Errorf("the server was told about %s, want ask-1", answer.ID)
	}
	events := g.AwaitEvents(t, 2)
	wantDetails(t, events[1].Details, map[string]int{"frames": 5, "frames_dropped": 1, "server_requests": 2, "server_requests_denied": 1})
}

// TestRefusalOfAServerRequestCarriesTheSession: the server must be able to tell whose client refused.
func TestRefusalOfAServerRequestCarriesTheSession(t *testing.T) {
	g := newGateway(t, func(s *setup) {
		s.Decider = deciderFunc(noSampling)
		s.MCP.Sessions = true
	})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}`)
		x.Event(m.Answer(`{"content":[]}`))
	})
	id := begin(t, g, "admin")
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"), "Mcp-Session-Id: "+id)
	c.ReadReply()

	requests := g.Upstream.AwaitRequests(t, 3)
	r := requests[2]
	var body struct {
		ID    int
		Error struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}

	got := []any{r.Method, r.Header.Value("Mcp-Session-Id"), r.Header.Value("Authorization"), body.ID, body.Error.Code}
	if diff := cmp.Diff([]any{"POST", id, "", 7, 403}, got); diff != "" {
		t.Errorf("the refusal (-want +got):\n%s\n%s", diff, r.Body)
	}
}

func wantDetails(t *testing.T, details []byte, want map[string]int) {
	t.Helper()
	var got map[string]int
	if err := json.Unmarshal(details, &got); err != nil {
		t.Fatal(fmt.Errorf("details %s: %w", details, err))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}
