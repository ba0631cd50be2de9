package app_test

import (
	"bytes"
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
}
