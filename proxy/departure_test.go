package proxy_test

import (
	"io"
	"net"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// TestHalfClosedClientHasLeft: a client that closes its side while it waits for a reply has left, over TLS too: its call ends
// at the server, though the server is silent and the client could still be written to.
func TestHalfClosedClientHasLeft(t *testing.T) {
	t.Parallel()
	secured := secure(t, testkit.NewAuthority(t), nil, nil, nil)
	for transport, change := range map[string]func(*setup){"plain": permissive(nil), "TLS": secured} {
		for state, script := range map[string]func(*testkit.Exchange){
			"before the reply": func(*testkit.Exchange) {},
			"between events":   func(x *testkit.Exchange) { x.Stream(); x.Event("{}") },
		} {
			t.Run(transport+" "+state, func(t *testing.T) {
				t.Parallel()
				g := newGateway(t, change)
				arrived, gone := make(chan struct{}), make(chan struct{})
				g.Upstream.On("tools/call echo", func(x *testkit.Exchange, _ testkit.Message) {
					script(x)
					close(arrived)
					<-x.ClientGone()
					close(gone)
				})
				c := g.Dial(t)
				c.Post("/mcp", toolCall, bearer("admin"))
				testkit.Wait(t, 0, arrived)
				if state == "between events" {
					c.ReadHead().ReadData()
				}
				c.SendFIN()
				testkit.Wait(t, 0, gone)
				diff(t, "trail", []ending{{audit.PhaseSingle, audit.OutcomeClientGone, 499}}, endings(g.AwaitEvents(t, 1)))
			})
		}
	}
}

// TestDribblingClient: a request that comes byte by byte is a request like any other, and one that goes on for longer than a
// request may take is refused: each byte does not give it more time.
func TestDribblingClient(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) { s.Listener.ReadTimeout = 300 * time.Millisecond }))
	request := "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + bearer("admin") + "\r\nContent-Length: 40\r\n\r\n" +
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`
	quick := g.Dial(t)
	for i := range request {
		quick.Write(request[i : i+1])
	}
	diff(t, "status of a request in single bytes", 200, quick.ReadReply().Status)

	slow, err := net.Dial("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		dribble(slow, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Filler: ")
	}()
	last := g.AwaitEvents(t, 2)[1]
	_ = slow.Close()
	<-done
	diff(t, "a request without end", []any{int32(408), "slow_request"}, []any{last.StatusCode, last.Rule})
}

// dribble sends the beginning of a request and then a byte now and then, until the connection ends.
func dribble(c net.Conn, begin string) {
	_, err := io.WriteString(c, begin)
	now := time.NewTicker(20 * time.Millisecond)
	defer now.Stop()
	for err == nil {
		<-now.C
		_, err = io.WriteString(c, "a")
	}
}
