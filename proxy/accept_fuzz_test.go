package proxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"sark/internal/testkit"
)

// FuzzInbound sends bytes to a gateway without a credential. Whatever they are, nothing reaches the upstream, the gateway
// does not panic, and every reply has one event.
func FuzzInbound(f *testing.F) {
	for _, seed := range []string{
		"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /desk/mcp HTTP/1.0\r\nAuthorization: Bearer sark_analyst_\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n[",
		"DELETE * HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
	} {
		f.Add([]byte(seed))
	}
	g := newGateway(f, func(s *setup) { s.Decider = allowAll() })
	f.Fuzz(func(t *testing.T, raw []byte) {
		replies := exchangeBytes(t, g.Addr, raw)
		events := g.Trail.Take()
		if !bytes.Contains(raw, []byte("HEAD")) && replies > len(events) {
			t.Errorf("%d replies and %d events", replies, len(events))
		}
		for _, e := range events {
			if e.Success || e.UserID != "" {
				t.Errorf("event of %q: %+v", e.UserID, e)
			}
		}
		if n := g.Metric(t, "sark_proxy_panics_total"); n != 0 {
			t.Errorf("%v panics", n)
		}
		if calls := g.Upstream.Calls(); len(calls) > 0 {
			t.Errorf("the upstream got %v", calls)
		}
	})
}

// exchangeBytes sends bytes, closes the sending side, and returns how many replies came.
func exchangeBytes(t *testing.T, addr string, raw []byte) int {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(testkit.Patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(raw) // the gateway may hang up while it is sent
	_ = c.(*net.TCPConn).CloseWrite()
	r, n := bufio.NewReader(c), 0
	for {
		reply, err := http.ReadResponse(r, nil)
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				t.Error("the gateway does not answer")
			}
			return n
		}
		_, _ = io.Copy(io.Discard, reply.Body)
		_ = reply.Body.Close()
		if reply.StatusCode >= 200 && reply.StatusCode != http.StatusRequestTimeout {
			n++
		}
	}
}
