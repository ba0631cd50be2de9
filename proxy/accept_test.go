package proxy_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/testkit"
)

// request is the bytes of a POST of the allowed call. {host} in lines is the gateway's address.
func request(g *gateway, target string, lines ...string) string {
	head := []string{"POST " + target + " HTTP/1.1", "Content-Type: application/json", bearer("analyst")}
	text := strings.Join(append(head, lines...), "\r\n") + "\r\nContent-Length: " + strconv.Itoa(len(allowedCall)) + "\r\n\r\n" + allowedCall
	return strings.ReplaceAll(text, "{host}", g.Addr)
}

// TestInboundFraming sends requests that could be read in two ways, beside ones that look odd and cannot.
func TestInboundFraming(t *testing.T) {
	g := newGateway(t, nil)
	host := "Host: {host}"
	tests := []struct {
		name string
		raw  string
		want int
	}{
		{"plain", request(g, "/mcp", host), 200},
		{"query", request(g, "/mcp?a=b", host), 200},
		{"fields that may be repeated", request(g, "/mcp", host, "X-Other: 1", "X-Other: 2"), 200},
		{"HTTP/1.0", strings.Replace(request(g, "/mcp", host), "HTTP/1.1", "HTTP/1.0", 1), 426},
		{"HTTP/1.0 that would stay", strings.Replace(request(g, "/mcp", host, "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1), 426},
		{"HTTP/1.2", strings.Replace(request(g, "/mcp", host), "HTTP/1.1", "HTTP/1.2", 1), 426},
		{"HTTP/2.0", strings.Replace(request(g, "/mcp", host), "HTTP/1.1", "HTTP/2.0", 1), 505},
		{"HTTP/0.9", strings.Replace(request(g, "/mcp", host), "HTTP/1.1", "HTTP/0.9", 1), 505},
		{"chunked", chunked(request(g, "/mcp", host)), 200},
		{"no host", request(g, "/mcp"), 400},
		{"two hosts", request(g, "/mcp", host, host), 400},
		{"folded line", request(g, "/mcp", host, "Mcp-Method: tools/call\r\n , ping"), 400},
		{"folded line without a field's name", request(g, "/mcp", host, "X-Other: a\r\n\tMcp-Method: ping"), 400},
		{"space before the colon", request(g, "/mcp", host, "Mcp-Method : tools/call"), 400},
		{"space in a name", request(g, "/mcp", host, "Mcp Method: tools/call"), 400},
		{"bare line feed", strings.Replace(request(g, "/mcp", host, "X-Other: 1"), "X-Other: 1\r\n", "X-Other: 1\n", 1), 400},
		{"no colon", request(g, "/mcp", host, "Mcp-Method"), 400},
		{"NUL in a value", request(g, "/mcp", host, "X-Other: a\x00b"), 400},
		{"two lengths", request(g, "/mcp", host, "Content-Length: 1"), 400},
		{"negative length", strings.Replace(request(g, "/mcp", host), "Content-Length: ", "Content-Length: -", 1), 400},
		{"length with a sign", strings.Replace(request(g, "/mcp", host), "Content-Length: ", "Content-Length: +", 1), 400},
		{"length as a list", strings.Replace(request(g, "/mcp", host), "Content-Length: ", "Content-Length: 1, ", 1), 400},
		{"length and chunks", request(g, "/mcp", host, "Transfer-Encoding: chunked"), 400},
		{"chunked twice", chunked(request(g, "/mcp", host, "Transfer-Encoding: chunked")), 400},
		{"compressed", chunked(request(g, "/mcp", host), "gzip, "), 400},
		{"repeated session", request(g, "/mcp", host, "Mcp-Session-Id: a", "mcp-session-id: b"), 400},
		{"repeated version", request(g, "/mcp", host, "Mcp-Protocol-Version: 2025-11-25", "MCP-PROTOCOL-VERSION: 2025-11-25"), 400},
		{"repeated parameter", request(g, "/mcp", host, "Mcp-Param-Region: eu", "Mcp-Param-REGION: us"), 400},
		{"repeated long parameter", request(g, "/mcp", host, "Mcp-Param-With-A-Very-Long-Name: eu", "Mcp-Param-With-A-Very-Long-Name: us"), 400},
		{"repeated authorization", request(g, "/mcp", host, bearer("stranger")), 400},
		{"repeated media type", request(g, "/mcp", host, "content-type: text/plain"), 400},
		{"repeated origin", request(g, "/mcp", host, "Origin: http://{host}", "Origin: http://{host}"), 400},
		{"upgrade", request(g, "/mcp", host, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"), 400},
		{"session of this hop", request(g, "/mcp", host, "Connection: keep-alive , MCP-session-id", "Mcp-Session-Id: a"), 400},
		{"media type of this hop", request(g, "/mcp", host, "connection: Content-Type"), 400},
		{"as many fields as may be", request(g, "/mcp", append([]string{host}, slices.Repeat([]string{"X-Other: 1"}, 128-4)...)...), 200},
		{"too many fields", request(g, "/mcp", append([]string{host}, slices.Repeat([]string{"X-Other: 1"}, 128-3)...)...), 431},
		{"another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		{"authority as target", strings.Replace(request(g, "{host}", host), "POST", "CONNECT", 1), 400},
		{"asterisk as target", strings.Replace(request(g, "*", host), "POST", "OPTIONS", 1), 400},
		{"URL as target", request(g, "http://{host}/mcp", host), 400},
		{"trailing slash", request(g, "/mcp/", host), 404},
		{"double slash", request(g, "//mcp", host), 404},
		{"dots", request(g, "/desk/../mcp", host), 404},
		{"escaped path", request(g, "/%6dcp", host), 404},
		{"path in capitals", request(g, "/MCP", host), 404},
		{"path parameter", request(g, "/mcp;v=1", host), 404},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := g.Upstream.Calls()
			c := g.Dial(t)
			c.Write(tt.raw)
			reply := c.ReadReply()
			c.Close()
			if reply.Status != tt.want {
				t.Errorf("status %d, want %d: %s", reply.Status, tt.want, reply.Body)
			}
			if n := len(g.AwaitEvents(t, i+1)); n != i+1 {
				t.Errorf("%d events after %d requests", n, i+1)
			}
			if calls := added(before, g.Upstream.Calls()); (len(calls) > 0) != (tt.want == 200) {
				t.Errorf("the upstream got %v", calls)
			}
		})
	}
}

// chunked turns a request with a length into one in two chunks.
func chunked(raw string, codings ...string) string {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	from := strings.Index(head, "\r\nContent-Length")
	chunk := func(s string) string { return strconv.FormatInt(int64(len(s)), 16) + "\r\n" + s + "\r\n" }
	return head[:from] + "\r\nTransfer-Encoding: " + strings.Join(codings, "") + "chunked\r\n\r\n" + chunk(body[:9]) + chunk(body[9:]) + "0\r\n\r\n"
}

// TestInboundChunkedBody: the upstream gets the bytes that were decided, with a length.
func TestInboundChunkedBody(t *testing.T) {
	g := newGateway(t, nil)
	c := g.Dial(t)
	c.Write(chunked(request(g, "/mcp", "Host: {host}")))
	if r := c.ReadReply(); r.Status != 200 {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	got := g.Upstream.AwaitRequests(t, 1)[0]
	if string(got.Body) != allowedCall || got.Header.Has("Transfer-Encoding") || got.Header.Value("Content-Length") != strconv.Itoa(len(allowedCall)) {
		t.Errorf("the upstream got %v\n%s", got.Header, got.Body)
	}
}

// TestInboundHosts: loopback is reached by loopback names alone, unless the operator names others; an Origin must be the
// host that is asked, unless the operator names others.
func TestInboundHosts(t *testing.T) {
	tests := []struct {
		name           string
		hosts, origins []string
		host, origin   string
		allowed        bool
	}{
		{name: "address", host: "127.0.0.1:8080", allowed: true},
		{name: "address without port", host: "127.0.0.1", allowed: true},
		{name: "IPv6", host: "[::1]:8080", allowed: true},
		{name: "name", host: "localhost", allowed: true},
		{name: "name in capitals", host: "LOCALHOST:1", allowed: true},
		{name: "rebound name", host: "evil.example:8080"},
		{name: "name that begins like a good one", host: "localhost.evil.example"},
		{name: "address that begins like a good one", host: "127.0.0.1.evil.example"},
		{name: "configured name", hosts: []string{"gateway.example"}, host: "Gateway.example:443", allowed: true},
		{name: "loopback beside a configured name", hosts: []string{"gateway.example"}, host: "localhost", allowed: true},
		{name: "other than the configured name", hosts: []string{"gateway.example"}, host: "evil.example"},
		{name: "same origin", host: "localhost:8080", origin: "http://localhost:8080", allowed: true},
		{name: "same origin in capitals", host: "localhost:8080", origin: "HTTP://LOCALHOST:8080", allowed: true},
		{name: "other port", host: "localhost:8080", origin: "http://localhost:9090"},
		{name: "other site", host: "localhost:8080", origin: "https://evil.example"},
		{name: "opaque origin", host: "localhost:8080", origin: "null"},
		{name: "origin without scheme", host: "localhost:8080", origin: "localhost:8080"},
		{name: "configured origin", origins: []string{"https://app.example"}, host: "localhost", origin: "https://App.example", allowed: true},
		{name: "configured origin on another port", origins: []string{"https://app.example"}, host: "localhost", origin: "https://app.example:444"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(s *setup) {
				s.Decider, s.AllowedHosts, s.AllowedOrigins = allowAll(), tt.hosts, tt.origins
			})
			lines := []string{"Host: " + tt.host}
			if tt.origin != "" {
				lines = append(lines, "Origin: "+tt.origin)
			}
			c := g.Dial(t)
			c.Write(request(g, "/mcp", lines...))
			want := 403
			if tt.allowed {
				want = 200
			}
			if r := c.ReadReply(); r.Status != want {
				t.Errorf("status %d, want %d: %s", r.Status, want, r.Body)
			}
		})
	}
}

// TestInboundPipelined: a refused request leaves those that were sent after it on the same connection as they are.
func TestInboundPipelined(t *testing.T) {
	g := newGateway(t, nil)
	c := g.Dial(t)
	message := func(body string) string {
		return testkit.FormatRequest("POST", "/mcp", g.Addr, body, "Content-Type: application/json", bearer("analyst"))
	}
	c.Write(message(`{"id":1,"id":1}`) + message(`{"jsonrpc":"2.0","id":2,"method":"ping"}`) +
		message(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"wipe"}}`) + message(`{"jsonrpc":"2.0","id":4,"method":"ping"}`))
	var got []int
	var last string
	for range 4 {
		r := c.ReadReply()
		got, last = append(got, r.Status), r.Body
	}
	if d := cmp.Diff([]int{400, 200, 403, 200}, got); d != "" {
		t.Errorf("statuses (-want +got):\n%s", d)
	}
	if want := `{"jsonrpc":"2.0","id":4,"result":{}}`; last != want {
		t.Errorf("the last reply is %s, want %s", last, want)
	}
	if n := len(g.Events()); n != 4 {
		t.Errorf("%d events for 4 requests", n)
	}
}

// TestInboundUnfinished: a request of which a part has come is refused and recorded, wherever it ends, and whether it is the first of
// its connection or not.
func TestInboundUnfinished(t *testing.T) {
	const header = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n"
	parts := map[string]string{"a letter": "P", "within the header": header, "within the body": header + "\r\n{"}
	ends := []struct {
		name    string
		end     func(*testkit.RawClient)
		outcome audit.Outcome
		status  int32
	}{
		{"silent", func(*testkit.RawClient) {}, audit.OutcomeDenied, 408},
		{"closed", (*testkit.RawClient).Close, audit.OutcomeClientGone, 400},
		{"reset", (*testkit.RawClient).Reset, audit.OutcomeClientGone, 400},
	}
	for name, part := range parts {
		for _, e := range ends {
			for _, second := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, second %t", name, e.name, second), func(t *testing.T) {
					t.Parallel()
					g := newGateway(t, func(s *setup) { s.Listener.ReadTimeout = 500 * time.Millisecond })
					c := g.Dial(t)
					if second {
						c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, bearer("analyst"))
						c.ReadReply()
					}
					before := len(g.Events())
					c.Write(part)
					e.end(c)
					got := g.AwaitEvents(t, before+1)[before]
					if got.Outcome != e.outcome || got.StatusCode != e.status {
						t.Errorf("recorded %s by %s, status %d: %s", got.Outcome, got.Rule, got.StatusCode, got.ErrorMessage)
					}
				})
			}
		}
	}
}

// TestInboundSilentConnections: connections on which no request begins leave no event.
func TestInboundSilentConnections(t *testing.T) {
	g := newGateway(t, func(s *setup) {
		s.Listener.ReadTimeout, s.Listener.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
	})
	g.Dial(t).Reset()
	g.Dial(t).Close()
	g.Dial(t).AwaitClosed()
	used := g.Dial(t)
	used.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, bearer("analyst"))
	if r := used.ReadReply(); r.Status != 200 {
		t.Errorf("status %d: %s", r.Status, r.Body)
	}
	if rest := used.AwaitClosed(); rest != "" {
		t.Errorf("the idle connection ended with %q", rest)
	}
	if events := g.Events(); len(events) != 1 || events[0].Outcome != audit.OutcomeAllowed {
		t.Errorf("events %+v, want the one of the ping", events)
	}
}

// TestInboundParameterHeaders: a parameter header that cannot be decoded is refused; a good one goes on as it is.
func TestInboundParameterHeaders(t *testing.T) {
	g := newGateway(t, nil)
	call := &methodCase{method: "tools/call", params: `"name":"echo","arguments":{"text":"hello"}`, header: "echo"}
	c := g.Dial(t)
	call.send(c, "modern", bearer("analyst"), "Mcp-Param-Text: =?base64?!?=")
	if r := c.ReadReply(); r.Status != 400 || !strings.Contains(r.Body, `"code":-32020`) {
		t.Errorf("status %d: %s", r.Status, r.Body)
	}
	call.send(c, "modern", bearer("analyst"), "Mcp-Param-Text: =?base64?aGVsbG8=?=")
	if r := c.ReadReply(); r.Status != 200 {
		t.Errorf("status %d: %s", r.Status, r.Body)
	}
	requests := g.Upstream.AwaitRequests(t, 1)
	if got := requests[0].Header.Value("Mcp-Param-Text"); len(requests) != 1 || got != "=?base64?aGVsbG8=?=" {
		t.Errorf("the upstream got %d requests, the first with %q", len(requests), got)
	}
}

// TestInboundPolicyHeaders: policies see the headers that the operator names, and no others.
func TestInboundPolicyHeaders(t *testing.T) {
	var got map[string]string
	g := newGateway(t, func(s *setup) {
		s.PolicyHeaders = []string{"x-team", "x-absent"}
		s.Decider = deciderFunc(func(in *authz.Input) authz.Decision {
			got = maps.Clone(in.Request.Headers)
			return authz.Decision{}
		})
	})
	c := g.Dial(t)
	c.Post("/mcp", allowedCall, bearer("analyst"), "X-TEAM: support", "X-Secret: hidden")
	if r := c.ReadReply(); r.Status != 403 || !strings.Contains(r.Body, `"reason":"denied by policy","rule":"policy"`) {
		t.Errorf("the zero decision: status %d: %s", r.Status, r.Body)
	}
	if d := cmp.Diff(map[string]string{"x-team": "support"}, got); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
}
