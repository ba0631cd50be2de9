package app_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// seen is an event of the API, as far as tests compare it.
type seen struct {
	ExchangeID string `json:"exchange_id"`
	UserID     string `json:"user_id"`
	ToolName   string `json:"tool_name"`
	Decision   string `json:"decision"`
	Outcome    string `json:"outcome"`
	Timestamp  string `json:"timestamp"`
}

// pageOf is one page of the trail.
type pageOf struct {
	Items      []seen
	NextCursor *string `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
}

func (c caller) events(t *testing.T, query string) pageOf {
	t.Helper()
	r := c.get(t, "/api/v1/audit/events?"+query)
	if r.Status != 200 {
		t.Fatalf("events: %d %s", r.Status, r.Body)
	}
	var p pageOf
	r.decode(t, &p)
	return p
}

// awaitEvents asks until the trail holds n events that match, since they reach the store a moment after their reply.
func (c caller) awaitEvents(t *testing.T, query string, n int) []seen {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(testkit.Patience)
	for {
		if items := c.events(t, query).Items; len(items) >= n {
			return items
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("the trail has no %d events for %s", n, query)
		}
	}
}

// brief is an event without what differs from run to run.
func brief(items []seen) []string {
	var lines []string
	for _, e := range items {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", e.UserID, e.ToolName, e.Decision, e.Outcome))
	}
	return lines
}

// TestEventsAreFound makes calls of two people and asks for them by each filter, page by page, newest first.
func TestEventsAreFound(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, configure(t, dir, upstream.URL()+"/mcp", "audit: {batch_interval: 10ms}"), "SARK_PROXY_HIDDEN_TOOLS=denied")
	analyst, viewer := over(g.Proxy, newKey(t, dir, "analyst")), over(g.Proxy, newKey(t, dir, "viewer"))
	statuses := []int{
		analyst.post(t, "/mcp", toolCall("echo")).Status, viewer.post(t, "/mcp", toolCall("echo")).Status,
		analyst.post(t, "/mcp", toolCall("wipe")).Status, viewer.post(t, "/mcp", toolCall("note")).Status,
		analyst.post(t, "/mcp", toolCall("note")).Status,
	}
	if diff := cmp.Diff([]int{200, 200, 403, 403, 200}, statuses); diff != "" {
		t.Fatalf("statuses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"tools/call echo": 2, "tools/call note": 1}, upstream.Calls()); diff != "" {
		t.Errorf("what reached the upstream (-want +got):\n%s", diff)
	}

	admin := over(g.API, newKey(t, dir, "admin"))
	admin.awaitEvents(t, "server=desk", 5)
	for query, want := range map[string][]string{
		"server=desk": {
			"analyst@example.com note allow allowed", "viewer@example.com note deny denied",
			"analyst@example.com wipe deny denied", "viewer@example.com echo allow allowed", "analyst@example.com echo allow allowed",
		},
		"server=desk&user_id=viewer@example.com": {"viewer@example.com note deny denied", "viewer@example.com echo allow allowed"},
		"tool=echo":                              {"viewer@example.com echo allow allowed", "analyst@example.com echo allow allowed"},
		"server=desk&decision=deny":              {"viewer@example.com note deny denied", "analyst@example.com wipe deny denied"},
		"tool=note&decision=allow":               {"analyst@example.com note allow allowed"},
		"tool=echo&to=2020-01-01T00:00:00Z":      nil,
		"tool=echo&from=-1h&user_id=nobody":      nil,
	} {
		if diff := cmp.Diff(want, brief(admin.events(t, query).Items)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	checkPaging(t, admin)
	if r := over(g.API, analyst.key).get(t, "/api/v1/audit/events"); r.Status != 403 {
		t.Errorf("an analyst reads the trail: %d", r.Status)
	}
}

// checkPaging reads five events in pages of two.
func checkPaging(t *testing.T, admin caller) {
	t.Helper()
	var sizes []int
	var all []seen
	for query := "server=desk&limit=2"; ; {
		page := admin.events(t, query)
		sizes = append(sizes, len(page.Items))
		all = append(all, page.Items...)
		if page.HasMore != (page.NextCursor != nil) {
			t.Fatalf("has_more is %v and next_cursor %v", page.HasMore, page.NextCursor)
		}
		if page.NextCursor == nil || len(sizes) > 5 {
			break
		}
		query = "server=desk&limit=2&cursor=" + url.QueryEscape(*page.NextCursor)
	}
	if diff := cmp.Diff([]int{2, 2, 1}, sizes); diff != "" {
		t.Errorf("page sizes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(admin.events(t, "server=desk").Items, all); diff != "" {
		t.Errorf("pages together (-want +got):\n%s", diff)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Timestamp > all[i-1].Timestamp {
			t.Errorf("event %d is newer than the one before it: %s, %s", i, all[i].Timestamp, all[i-1].Timestamp)
		}
	}
}

// TestTrailSurvivesRestart stops a gateway right after a call, long before its batch would be stored, and starts it again.
func TestTrailSurvivesRestart(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	file := configure(t, dir, upstream.URL()+"/mcp", "audit: {batch_interval: 1m}")
	key := newKey(t, dir, "analyst")
	g := start(t, file)
	for range 20 {
		over(g.Proxy, key).post(t, "/mcp", toolCall("note"))
	}
	over(g.Proxy, key).post(t, "/mcp", toolCall("wipe"))
	g.stop(t)

	first := stored(t, dir)
	if len(first) != 21 || first[20].Decision != "deny" {
		t.Fatalf("%d events are in the store after the stop, want 21 with the denied call last", len(first))
	}

	g = start(t, file)
	over(g.Proxy, key).post(t, "/mcp", toolCall("echo"))
	g.stop(t)

	second := stored(t, dir)
	if len(second) != 22 || len(byExchange(second)) != 22 {
		t.Errorf("%d events of %d exchanges after the restart, want 22 of 22", len(second), len(byExchange(second)))
	}
	if diff := cmp.Diff(first, second[:min(21, len(second))], cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("the first events have changed (-want +got):\n%s", diff)
	}
	checkChain(t, second)
}

// checkChain verifies that events of one writer are all there and unchanged, in the order of their numbers.
func checkChain(t *testing.T, events []audit.Event) {
	t.Helper()
	writer := events[0].WriterID
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	for seq := int64(1); seq <= int64(len(events)); seq++ {
		for i := range events {
			if events[i].Seq != seq {
				continue
			}
			if err := chain.Verify(audit.AppendTuple(nil, &events[i])); err != nil {
				t.Fatalf("event %d: %v", seq, err)
			}
		}
		if chain.Seq() != seq {
			t.Fatalf("event %d of writer %s is missing", seq, writer)
		}
	}
}
