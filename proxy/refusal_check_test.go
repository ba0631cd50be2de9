package proxy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// rpcError is a JSON-RPC error as clients read it.
type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// checkReply holds a reply against its event.
func (f failure) checkReply(t *testing.T, reply *testkit.Reply, e *audit.Event) {
	t.Helper()
	if reply.Err != nil {
		t.Errorf("the reply was cut: %v", reply.Err)
	}
	for name, want := range f.header {
		if got := reply.Header.Value(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	media := "application/json"
	if f.empty {
		media = ""
	}
	if got := reply.Header.Value("Content-Type"); got != media {
		t.Errorf("Content-Type is %q, want %q", got, media)
	}
	if got := reply.Header.Value("X-Sark-Decision-Id"); got != decisionOf(e) {
		t.Errorf("X-Sark-Decision-Id is %q and the event's decision %q", got, decisionOf(e))
	}
	if int(e.StatusCode) != reply.Status || e.BytesOut != int64(len(reply.Body)) || e.Success {
		t.Errorf("event has status %d, %d bytes, success %t; the reply %d with %d bytes", e.StatusCode, e.BytesOut, e.Success, reply.Status, len(reply.Body))
	}
	switch {
	case f.empty:
		if reply.Body != "" {
			t.Errorf("body is %q, want none", reply.Body)
		}
	case f.plain:
		f.checkPlain(t, reply.Body, e)
	case !f.result:
		f.checkRPC(t, reply.Body, e)
	}
}

func decisionOf(e *audit.Event) string {
	if e.DecisionID == uuid.Nil {
		return ""
	}
	return e.DecisionID.String()
}

func (f failure) checkPlain(t *testing.T, body string, e *audit.Event) {
	t.Helper()
	want := map[string]any{"detail": e.Reason, "code": e.Rule, "request_id": e.ExchangeID.String()}
	if d := decisionOf(e); d != "" {
		want["decision_id"] = d
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
}

func (f failure) checkRPC(t *testing.T, body string, e *audit.Event) {
	t.Helper()
	var got struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   rpcError        `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	id := f.id
	if id == "" {
		id = `"call-1"`
	}
	if got.JSONRPC != "2.0" || string(got.ID) != id {
		t.Errorf("reply is jsonrpc %q with id %s, want 2.0 and %s", got.JSONRPC, got.ID, id)
	}
	message := fmt.Sprintf("%s (exchange %s)", e.Reason, e.ExchangeID)
	data := map[string]any{"reason": e.Reason, "rule": e.Rule, "exchange_id": e.ExchangeID.String()}
	if d := decisionOf(e); d != "" {
		message = fmt.Sprintf("%s (decision %s)", e.Reason, d)
		data["decision_id"] = d
	}
	if got.Error.Message != message || got.Error.Code != int(e.RPCCode) {
		t.Errorf("error is %d %q, want %d %q", got.Error.Code, got.Error.Message, e.RPCCode, message)
	}
	var gotData map[string]any
	if err := json.Unmarshal(got.Error.Data, &gotData); err != nil {
		t.Fatalf("data %s: %v", got.Error.Data, err)
	}
	if d := cmp.Diff(data, gotData); d != "" {
		t.Errorf("data (-want +got):\n%s", d)
	}
}

// checkUpstream holds that a refused request went nowhere.
func (f failure) checkUpstream(t *testing.T, g *gateway) {
	t.Helper()
	if f.forwarded || g.Upstream == nil {
		return
	}
	for key := range g.Upstream.Calls() {
		if key != heldCall {
			t.Errorf("the upstream got %q", key)
		}
	}
}

// checkNext holds that the connection of a failure is closed or works on, and that a new one works.
func (f failure) checkNext(t *testing.T, g *gateway, c *testkit.RawClient, reply *testkit.Reply) {
	t.Helper()
	if closes := strings.EqualFold(reply.Header.Value("Connection"), "close"); closes != f.closes {
		t.Errorf("Connection: close is %t, want %t", closes, f.closes)
	}
	if f.closes {
		if rest := c.AwaitClosed(); rest != "" {
			t.Errorf("after the reply came %q", rest)
		}
		c = g.Dial(t)
	}
	if f.dead {
		c.Send("GET", "/nowhere", "")
		if next := c.ReadReply(); next.Status != 404 {
			t.Errorf("the next request was answered with %d %s", next.Status, next.Body)
		}
		return
	}
	c.Post("/mcp", `{"jsonrpc":"2.0","id":"next","method":"ping"}`, bearer("analyst"))
	if next := c.ReadReply(); next.Status != 200 || next.Body != `{"jsonrpc":"2.0","id":"next","result":{}}` {
		t.Errorf("the next request was answered with %d %s", next.Status, next.Body)
	}
}
