package app_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sark/internal/testkit"
)

// TestSIEM makes a call, whose event arrives at a webhook while another receiver is dead.
func TestSIEM(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	arrived := make(chan []byte, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			select {
			case arrived <- body:
			default: // enough of them
			}
		}
	}))
	t.Cleanup(receiver.Close)
	g := start(t, configure(t, dir, upstream.URL()+"/mcp", `audit:
  siem:
    - {name: soc, type: webhook, url: "`+receiver.URL+`", format: ocsf, batch_interval: 10ms}
    - {name: dead, type: syslog, url: "tcp://127.0.0.1:1", batch_interval: 10ms}`))
	analyst := over(g.Proxy, newKey(t, dir, "analyst"))

	if r := analyst.post(t, "/mcp", toolCall("echo")); r.Status != 200 {
		t.Fatalf("call: %d %s", r.Status, r.Body)
	}
	select {
	case body := <-arrived:
		if !bytes.Contains(body, []byte(`"event_code":"tool_invoked"`)) {
			t.Errorf("the event is %s", body)
		}
	case <-time.After(testkit.Patience):
		t.Fatal("no event arrived")
	}
	awaitForwarded(t, overSocket(g.Socket), false) // the dead one has nothing
	g.stop(t)

	g = start(t, configure(t, dir, upstream.URL()+"/mcp", `audit: {siem: [{name: soc, type: webhook, url: "`+receiver.URL+`", format: ocsf, batch_interval: 10ms}]}`))
	awaitForwarded(t, overSocket(g.Socket), true)
	g.stop(t)

	g = start(t, configure(t, dir, upstream.URL()+"/mcp"))
	awaitForwarded(t, overSocket(g.Socket), nil)
}

// awaitForwarded waits until the trail says of the call whether all receivers have it; nil is that there are none.
func awaitForwarded(t *testing.T, api caller, want any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var page struct{ Items []map[string]any }
		api.get(t, "/api/v1/audit/events?event_type=tool_invoked").decode(t, &page)
		if len(page.Items) > 0 {
			if got, told := page.Items[0]["siem_forwarded"]; told && got == want {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the events are %v, want siem_forwarded: %v", page.Items, want)
		}
	}
}
