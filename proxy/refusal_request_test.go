package proxy_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"sark/internal/testkit"
)

// post returns what sends an allowed caller's message.
func post(body string, lines ...string) func(*testkit.RawClient) {
	return func(c *testkit.RawClient) { c.Post("/mcp", body, append(lines, bearer("analyst"))...) }
}

// raw returns what sends bytes; HOST in them becomes a host that is accepted.
func raw(text string) func(*testkit.RawClient) {
	return func(c *testkit.RawClient) { c.Write(strings.ReplaceAll(text, "HOST", "localhost")) }
}

// unreadableRequests are those that the HTTP server gives up on.
func unreadableRequests() map[string]failure {
	return map[string]failure{
		"request-malformed": {send: raw("POST /mcp\r\n\r\n"), id: `""`, closes: true},
		"request-slow": {
			setup: func(_ *testing.T, s *setup) { s.Listener.ReadTimeout = 200 * time.Millisecond },
			send:  raw("POST /mcp HTTP/1.1\r\nHost: HOST\r\nContent-Le"), id: `""`, closes: true,
		},
		"request-cut": {
			send: func(c *testkit.RawClient) {
				raw("POST /mcp HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + allowedCall)(c)
				c.CloseWrite()
			},
			id: `""`, closes: true,
		},
		"headers-large": {
			send: post(allowedCall, "X-Filler: "+strings.Repeat("a", 20<<10)), id: `""`, closes: true,
		},
		"body-huge": {
			setup: func(_ *testing.T, s *setup) { s.MaxBody, s.Listener.MaxBody = 1<<10, 1<<10 },
			send:  raw("POST /mcp HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n" + allowedCall),
			id:    `""`, closes: true,
		},
	}
}

// refusedRequests are those that are refused before it is known who asks.
func refusedRequests() map[string]failure {
	ambiguous := "POST /mcp HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n" + bearer("analyst") +
		"\r\nContent-Length: " + strconv.Itoa(len(allowedCall)) + "\r\nTransfer-Encoding: chunked\r\n\r\n" +
		strconv.FormatInt(int64(len(allowedCall)), 16) + "\r\n" + allowedCall + "\r\n0\r\n\r\n"
	absolute := "POST http://localhost/mcp HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n" + bearer("analyst") +
		"\r\nContent-Length: " + strconv.Itoa(len(allowedCall)) + "\r\n\r\n" + allowedCall
	return map[string]failure{
		"http-version": {
			send:   raw("POST /mcp HTTP/1.0\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(allowedCall)) + "\r\n\r\n" + allowedCall),
			header: map[string]string{"Upgrade": "HTTP/1.1"}, closes: true,
		},
		"framing-ambiguous": {send: raw(ambiguous), closes: true},
		"target-absolute":   {send: raw(absolute), closes: true},
		"header-repeated":   {send: post(allowedCall, "Mcp-Method: tools/call", "Mcp-Method: ping"), closes: true},
		"upgrade":           {send: post(allowedCall, "Upgrade: websocket", "Connection: upgrade"), closes: true},
		"host-denied": {
			send: raw("POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nContent-Length: " +
				strconv.Itoa(len(allowedCall)) + "\r\n\r\n" + allowedCall),
		},
		"origin-denied":      {send: post(allowedCall, "Origin: https://evil.example")},
		"path-unknown":       {send: func(c *testkit.RawClient) { c.Post("/other", allowedCall, bearer("analyst")) }},
		"path-unknown-plain": {send: func(c *testkit.RawClient) { c.Send("GET", "/other", "") }, plain: true},
		"verb-denied": {
			send:  func(c *testkit.RawClient) { c.Send("PUT", "/mcp", allowedCall, bearer("analyst")) },
			plain: true, header: map[string]string{"Allow": "POST, GET, DELETE"},
		},
		"media-type": {
			send: func(c *testkit.RawClient) {
				c.Send("POST", "/mcp", allowedCall, bearer("analyst"), "Content-Type: text/plain")
			},
		},
		"body-large": {
			setup: func(_ *testing.T, s *setup) { s.MaxBody, s.Listener.MaxBody = 1<<10, 1<<10 },
			send:  post(strings.Replace(allowedCall, "hello", strings.Repeat("a", 2<<10), 1)), closes: true,
		},
	}
}

// brokenMessages are bodies that strict reading refuses.
func brokenMessages() map[string]failure {
	return map[string]failure{
		"body-broken":    {send: post(`{"jsonrpc":"2.0","id":"call-1","method":"tools/call","params":{`)},
		"body-duplicate": {send: post(strings.Replace(allowedCall, `{"text":"hello"}`, `{"text":"a","deep":[{"x":1,"x":2}]}`, 1))},
		"body-utf8":      {send: post(strings.Replace(allowedCall, "hello", "\xff\xfe", 1))},
		"body-batch":     {send: post("[" + allowedCall + "]"), id: `""`},
		"body-shape":     {send: post(`{"jsonrpc":"2.0","id":"call-1","method":"tools/call","params":["echo"]}`)},
		"body-header-mismatch": {
			send: post(allowedCall, "Mcp-Method: tools/call", "Mcp-Name: wipe"),
		},
		"param-mismatch": {
			begin: func(t *testing.T, g *gateway) func() {
				g.Upstream.On("tools/list", func(x *testkit.Exchange, m testkit.Message) { x.JSON(200, m.Answer(mirroring("text"))) })
				listed(t, g.Dial(t))
				return func() {}
			},
			send: func(c *testkit.RawClient) {
				postModern(c, "analyst", `"call-1"`, "tools/call", `"name":"echo","arguments":{"text":"hello"}`, "Mcp-Name: echo", "Mcp-Param-Region: bye")
			},
			before: 1, forwarded: true, // the list
		},
	}
}
