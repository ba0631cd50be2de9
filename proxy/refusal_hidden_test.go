package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHiddenToolIsNotListed: a tool that the caller may not use is in no list, whatever the form of the reply, and the
// other bytes stay as they are.
func TestHiddenToolIsNotListed(t *testing.T) {
	const echo = `{"name":"echo","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}`
	want := map[string]string{
		"legacy": `{"jsonrpc":"2.0","id":7,"result":{"tools":[` + echo + `]}}`,
		"modern": `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","ttlMs":60000,"cacheScope":"private","tools":[` + echo + `]}}`,
	}
	for _, sse := range []bool{false, true} {
		for _, era := range []string{"legacy", "modern"} {
			t.Run(fmt.Sprintf("%s, event stream %t", era, sse), func(t *testing.T) {
				g := newGateway(t, func(s *setup) { s.MCP.SSE = sse })
				c := g.Dial(t)
				(&methodCase{method: "tools/list"}).send(c, era, bearer("analyst"))
				reply := c.ReadHead()
				got := ""
				if sse {
					got = reply.ReadData()
				}
				if rest := reply.ReadBody(); !sse {
					got = rest
				}
				if d := cmp.Diff(want[era], got); d != "" {
					t.Errorf("list (-want +got):\n%s", d)
				}
				e := g.AwaitEvents(t, 1)[0]
				if d := string(e.Details); !strings.Contains(d, `"items":2`) || !strings.Contains(d, `"items_hidden":1`) {
					t.Errorf("details %s do not say that one item of two was hidden", d)
				}
			})
		}
	}
}

// TestDeniedToolReplies holds the whole replies to denied calls against each other: as a refusal, as a tool result, and as
// of a tool that does not exist. Of a tool that the caller may see the policy's reason is told in any case.
func TestDeniedToolReplies(t *testing.T) {
	tests := []struct {
		name, era, params string
		change            func(*setup)
		status            int
		want              string // with {decision} and {exchange}
	}{
		{
			name: "refused", era: "legacy", params: `"name":"wipe"`, status: 403,
			want: `"error":{"code":403,"message":"your roles do not allow tool:invoke at sensitivity critical (decision {decision})",` +
				`"data":{"reason":"your roles do not allow tool:invoke at sensitivity critical","rule":"main.not_granted",` +
				`"exchange_id":"{exchange}","decision_id":"{decision}"}}`,
		},
		{
			name: "unknown", era: "modern", params: `"name":"wipe"`, change: func(s *setup) { s.HideUnknown = true }, status: 200,
			want: `"error":{"code":-32602,"message":"unknown tool \"wipe\""}`,
		},
		{
			name: "unknown before tool error", era: "legacy", params: `"name":"wipe"`, status: 200,
			change: func(s *setup) { s.HideUnknown, s.DenyAsToolError = true, true },
			want:   `"error":{"code":-32602,"message":"unknown tool \"wipe\""}`,
		},
		{
			name: "visible tool with denied arguments", era: "legacy", params: `"name":"echo","arguments":{"amount":101}`, status: 403,
			change: func(s *setup) { s.HideUnknown = true },
			want: `"error":{"code":403,"message":"the amount must be a number, at most 100 (decision {decision})",` +
				`"data":{"reason":"the amount must be a number, at most 100","rule":"arguments.max_amount",` +
				`"exchange_id":"{exchange}","decision_id":"{decision}"}}`,
		},
		{
			name: "legacy tool error", era: "legacy", params: `"name":"echo","arguments":{"amount":101}`, status: 200,
			change: func(s *setup) { s.DenyAsToolError = true },
			want:   `"result":{"content":[{"type":"text","text":"the amount must be a number, at most 100 (decision {decision})"}],"isError":true}`,
		},
		{
			name: "modern tool error", era: "modern", params: `"name":"echo","arguments":{"amount":101}`, status: 200,
			change: func(s *setup) { s.DenyAsToolError = true },
			want: `"result":{"content":[{"type":"text","text":"the amount must be a number, at most 100 (decision {decision})"}],` +
				`"isError":true,"resultType":"complete"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, tt.change)
			c := g.Dial(t)
			header := strings.Split(tt.params, `"`)[3]
			(&methodCase{method: "tools/call", params: tt.params, header: header}).send(c, tt.era, bearer("analyst"))
			reply := c.ReadReply()
			e := g.AwaitEvents(t, 1)[0]
			want := strings.NewReplacer("{decision}", e.DecisionID.String(), "{exchange}", e.ExchangeID.String()).
				Replace(`{"jsonrpc":"2.0","id":7,` + tt.want + `}`)
			if d := cmp.Diff(want, reply.Body); d != "" || reply.Status != tt.status {
				t.Errorf("status %d, want %d; body (-want +got):\n%s", reply.Status, tt.status, d)
			}
			if e.Decision != "deny" || e.Success {
				t.Errorf("the event has decision %q and success %t", e.Decision, e.Success)
			}
			if calls := g.Upstream.Calls(); len(calls) > 0 {
				t.Errorf("the upstream got %v", calls)
			}
		})
	}
}

// TestDeniedNotificationsAndResponses: what wants no answer is refused like a request.
func TestDeniedNotificationsAndResponses(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.Decider = newEngine(t, "testdata/policy") })
	for i, body := range []string{
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`,
		`{"jsonrpc":"2.0","id":"s-1","result":{}}`,
	} {
		c := g.Dial(t)
		c.Post("/mcp", body, bearer("stranger"))
		if r := c.ReadReply(); r.Status != 403 || !strings.Contains(r.Body, `"reason":"only analysts may do this"`) {
			t.Errorf("%s: status %d: %s", body, r.Status, r.Body)
		}
		if n := len(g.AwaitEvents(t, i+1)); n != i+1 {
			t.Errorf("%d events for %d messages", n, i+1)
		}
	}
	if calls := g.Upstream.Calls(); len(calls) > 0 {
		t.Errorf("the upstream got %v", calls)
	}
}
