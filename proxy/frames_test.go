package proxy_test

import (
	"strings"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// TestStreamHugeAnswer: an answer that is too large to be held passes as it was, and nothing is put into its middle while
// the server pauses there.
func TestStreamHugeAnswer(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) { s.MaxBuffered, s.Heartbeat = 100<<10, time.Millisecond }))
	huge := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("method ", 100<<10) + `"}]}}`
	proceed := make(chan struct{})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Write([]byte("data: " + huge[:400<<10]))
		<-proceed
		x.Write([]byte(huge[400<<10:] + "\n\n"))
		x.Event("{}")
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadHead()
	var got strings.Builder
	for got.Len() < 300<<10 { // it comes before the server goes on
		piece, _ := r.ReadPiece()
		got.WriteString(strings.TrimPrefix(piece, ":\n\n")) // comments may stand before it
	}
	pause := time.NewTimer(2 * time.Second) // the watcher looks twice a second
	<-pause.C
	close(proceed)
	got.WriteString(r.ReadBody())
	event, rest, _ := strings.Cut(strings.ReplaceAll(got.String(), "\n\n:\n\n", "\n\n"), "\n\n")
	if event != "data: "+huge {
		t.Errorf("the answer was changed: %d bytes of %d", len(event), len(huge)+6)
	}
	diff(t, "the next event", true, strings.Contains(rest, "data: {}\n\n"))
	diff(t, "end", error(nil), r.Err)
	e := g.AwaitEvents(t, 1)[0]
	diff(t, "trail", []any{audit.OutcomeAllowed, `{"frames":2}`}, []any{e.Outcome, string(e.Details)})
}

// TestStreamHugeRequest: a request of the server that is too large to be decided does not reach the client.
func TestStreamHugeRequest(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) { s.MaxBuffered = 100 << 10 }))
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","id":9,"params":{"text":"` + strings.Repeat("a", 300<<10) + `"},"method":"sampling/createMessage"}`)
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadHead()
	if body := r.ReadBody(); strings.Contains(body, "sampling") || r.Err == nil {
		t.Errorf("the client got %d bytes, error %v", len(body), r.Err)
	}
	diff(t, "outcome", audit.OutcomeUpstreamFailed, g.AwaitEvents(t, 1)[0].Outcome)
}
