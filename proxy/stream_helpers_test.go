package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// toolCall is a call of the tool echo in the legacy era.
const toolCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}`

// permissive is a gateway whose policy allows everything.
func permissive(change func(*setup)) func(*setup) {
	return func(s *setup) {
		s.Decider = allowAll()
		if change != nil {
			change(s)
		}
	}
}

// legacyCall formats a request of the legacy era.
func legacyCall(id, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{%s}}`, id, method, params)
}

// postModern sends a request of the modern era with the headers that it requires.
func postModern(c *testkit.RawClient, role, id, method, params string, lines ...string) {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	if params != "" {
		params += ","
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{%s%s}}`, id, method, params, meta)
	c.Post("/mcp", body, append([]string{bearer(role), "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: " + method}, lines...)...)
}

// opening is a way to open a stream.
type opening struct {
	name string
	key  string // what the upstream scripts it by
	open func(c *testkit.RawClient)
	long bool // leaves two events from the start
}

func openings() []opening {
	return []opening{
		{"call", "tools/call", func(c *testkit.RawClient) { c.Post("/mcp", toolCall, bearer("admin")) }, false},
		{"GET", "GET", func(c *testkit.RawClient) {
			c.Send("GET", "/mcp", "", bearer("admin"), "Accept: text/event-stream", "Mcp-Session-Id: s-1")
		}, true},
		{"listen", "subscriptions/listen", func(c *testkit.RawClient) {
			postModern(c, "admin", `"sub"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
		}, true},
	}
}

// forEachOpening runs a test once for each way to open a stream.
func forEachOpening(t *testing.T, test func(t *testing.T, o opening)) {
	t.Helper()
	for _, o := range openings() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			test(t, o)
		})
	}
}

// forEachPost is forEachOpening for replies that are no event stream, which no GET is answered with.
func forEachPost(t *testing.T, test func(t *testing.T, o opening)) {
	t.Helper()
	forEachOpening(t, func(t *testing.T, o opening) {
		if o.key != "GET" {
			test(t, o)
		}
	})
}

// ending is how an exchange ended, as far as the trail tells.
type ending struct {
	Phase   audit.Phase
	Outcome audit.Outcome
	Status  int32
}

func endings(events []audit.Event) []ending {
	list := make([]ending, len(events))
	for i, e := range events {
		list[i] = ending{e.Phase, e.Outcome, e.StatusCode}
	}
	return list
}

// endingOf is how a stream that was opened by o leaves its events.
func (o *opening) endings(outcome audit.Outcome, status int32) []ending {
	if o.long {
		return []ending{{Phase: audit.PhaseOpen}, {audit.PhaseClose, outcome, status}}
	}
	return []ending{{audit.PhaseSingle, outcome, status}}
}

// diff fails the test when two values differ.
func diff(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// notification is a message without meaning of about n bytes.
func notification(n int) string {
	return `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + strings.Repeat("x", n) + `"}}`
}
