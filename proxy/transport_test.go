package proxy_test

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

// seen is what a client or a server sees of a message, as far as a test names it.
type seen struct {
	Status  int
	Headers []string
	Body    string
}

// headers returns the lines of the given names in their order, as "Name: value".
func headers(h testkit.Header, names ...string) []string {
	var lines []string
	for _, n := range names {
		for _, v := range h.Values(n) {
			lines = append(lines, n+": "+v)
		}
	}
	return lines
}

// upstreamOptions changes the limits of the connections to the upstream.
func upstreamOptions(change func(*proxy.UpstreamOptions)) func(*setup) {
	return permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { change(&o.Upstream) }
	})
}

// TestTransportRelays sends replies of every shape: status, body and headers arrive as they were sent.
func TestTransportRelays(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 20<<20/16)
	tests := []struct {
		name   string
		script func(x *testkit.Exchange)
		want   seen
	}{
		{"small JSON", func(x *testkit.Exchange) { x.JSON(200, `{"a":1.0}`) }, seen{200, []string{"Content-Type: application/json", "Content-Length: 9"}, `{"a":1.0}`}},
		{"empty", func(x *testkit.Exchange) { x.Reply(202, "") }, seen{202, []string{"Content-Length: 0"}, ""}},
		{"no content", func(x *testkit.Exchange) { x.WriteHead(204) }, seen{204, nil, ""}},
		{"no content type", func(x *testkit.Exchange) { x.Reply(200, "bare") }, seen{200, []string{"Content-Length: 4"}, "bare"}},
		{"refused", func(x *testkit.Exchange) {
			x.Reply(401, "who are you", "Content-Type: text/plain", `WWW-Authenticate: Bearer error="invalid_token"`)
		}, seen{401, []string{"Content-Type: text/plain", "Content-Length: 11", `WWW-Authenticate: Bearer error="invalid_token"`}, "who are you"}},
		{"unknown session", func(x *testkit.Exchange) { x.Reply(404, "") }, seen{404, []string{"Content-Length: 0"}, ""}},
		{"unsupported version", func(x *testkit.Exchange) {
			x.JSON(400, `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}}`)
		}, seen{400, []string{"Content-Type: application/json", "Content-Length: 99"}, `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}}`}},
		{"failed", func(x *testkit.Exchange) { x.ChunkedJSON(500, `{"oops":true}`, "Retry-After: 7") }, seen{500, []string{"Content-Type: application/json", "Transfer-Encoding: chunked", "Retry-After: 7"}, `{"oops":true}`}},
		{"chunked JSON", func(x *testkit.Exchange) { x.ChunkedJSON(200, `{"a":1}`) }, seen{200, []string{"Content-Type: application/json", "Transfer-Encoding: chunked"}, `{"a":1}`}},
		{"until close", func(x *testkit.Exchange) {
			x.WriteHead(200, "Content-Type: text/plain")
			x.Write([]byte("the end "))
			x.Write([]byte("is near"))
		}, seen{200, []string{"Content-Type: text/plain", "Transfer-Encoding: chunked"}, "the end is near"}},
		{"HTTP/1.0", func(x *testkit.Exchange) {
			x.WriteRaw([]byte("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nold"))
		}, seen{200, []string{"Content-Type: text/plain", "Content-Length: 3"}, "old"}},
		{"with trailers", func(x *testkit.Exchange) {
			x.WriteRaw([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"))
		}, seen{200, []string{"Transfer-Encoding: chunked"}, "abc"}},
		{"after interim replies", func(x *testkit.Exchange) {
			x.WriteHead(100)
			x.WriteHead(103, "Link: </a>")
			x.Reply(200, "final")
		}, seen{200, []string{"Content-Length: 5"}, "final"}},
		{"long head", func(x *testkit.Exchange) { x.Reply(200, "a", "X-Long: "+big[:50_000]) }, seen{200, []string{"Content-Length: 1"}, "a"}},
		{"64 KiB", func(x *testkit.Exchange) { x.Reply(200, big[:64<<10]) }, seen{200, []string{"Content-Length: 65536"}, big[:64<<10]}},
		{"64 KiB and a byte", func(x *testkit.Exchange) { x.Reply(200, big[:64<<10+1]) }, seen{200, []string{"Content-Length: 65537"}, big[:64<<10+1]}},
		{"20 MiB", func(x *testkit.Exchange) { x.Reply(200, big) }, seen{200, []string{"Content-Length: 20971520"}, big}},
		{"20 MiB in chunks", func(x *testkit.Exchange) { x.ChunkedJSON(200, big) }, seen{200, []string{"Content-Type: application/json", "Transfer-Encoding: chunked"}, big}},
		{"event stream of known length", func(x *testkit.Exchange) { x.Reply(200, "data: {}\n\n", "Content-Type: text/event-stream") }, seen{200, []string{"Content-Type: text/event-stream", "Transfer-Encoding: chunked"}, "data: {}\n\n"}},
		{"empty event stream", func(x *testkit.Exchange) { x.Reply(200, "", "Content-Type: text/event-stream") }, seen{200, []string{"Content-Type: text/event-stream", "Transfer-Encoding: chunked"}, ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(nil))
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) { test.script(x) })
			c := g.Dial(t)
			for range 2 { // the connection to the client lives on
				c.Post("/mcp", toolCall, bearer("admin"))
				r := c.ReadReply()
				got := seen{r.Status, headers(r.Header, "Content-Type", "Transfer-Encoding", "Content-Length", "Retry-After", "WWW-Authenticate", "Connection"), r.Body}
				if got.Body == test.want.Body {
					got.Body = test.want.Body // keeps the diff of large bodies out
				}
				diff(t, "reply", test.want, got)
				diff(t, "error", error(nil), r.Err)
			}
			for _, e := range g.AwaitEvents(t, 2) {
				diff(t, "trail", ending{audit.PhaseSingle, audit.OutcomeAllowed, int32(test.want.Status)}, endings([]audit.Event{e})[0])
				diff(t, "cause", "", e.ErrorMessage)
				diff(t, "bytes", int64(len(test.want.Body)), e.BytesOut)
			}
		})
	}
}

func TestTransportPassthroughWithoutBody(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) {
		s.Server = func(o *proxy.ServerOptions) { o.Passthrough = []string{"/doc"} }
	}))
	g.Upstream.Handle(func(x *testkit.Exchange) {
		if x.Request.Header.Has("If-None-Match") {
			x.WriteHead(304, `ETag: "a"`)
			return
		}
		x.Reply(200, "document", `ETag: "a"`)
	})
	c := g.Dial(t)
	c.Send("HEAD", "/doc", "", bearer("admin"))
	head := c.ReadReplyToHEAD()
	diff(t, "HEAD", []string{"Content-Length: 8", `ETag: "a"`}, headers(head.Header, "Content-Length", "ETag"))
	c.Send("GET", "/doc", "", bearer("admin"), `If-None-Match: "a"`)
	r := c.ReadReply()
	diff(t, "not modified", seen{304, []string{`ETag: "a"`}, ""}, seen{r.Status, headers(r.Header, "ETag"), r.Body})
	c.Send("GET", "/doc", "", bearer("admin"))
	diff(t, "GET", "document", c.ReadReply().Body)
	diff(t, "connections", 1, g.Upstream.Conns().Accepted)
}

// TestTransportReusesItsConnection makes calls one after the other, with replies of every shape that leaves the
// connection usable.
func TestTransportReusesItsConnection(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	scripts := []func(x *testkit.Exchange){
		func(x *testkit.Exchange) { x.JSON(200, "{}") },
		func(x *testkit.Exchange) { x.Stream(); x.Event("{}") },
		func(x *testkit.Exchange) { x.ChunkedJSON(200, "{}") },
		func(x *testkit.Exchange) { x.Reply(200, strings.Repeat("x", 1<<20)) },
		func(x *testkit.Exchange) { x.WriteHead(204) },
		func(x *testkit.Exchange) { x.Reply(404, "") },
	}
	c := g.Dial(t)
	for i := range 5 * len(scripts) {
		g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) { scripts[i%len(scripts)](x) })
		c.Post("/mcp", toolCall, bearer("admin"))
		diff(t, "error", error(nil), c.ReadReply().Err)
		g.AwaitEvents(t, i+1) // a stream gives its connection back before its event
	}
	diff(t, "connections", 1, g.Upstream.Conns().Accepted)
}

// TestTransportDoesNotReuseAnUnfinishedReply leaves the rest of a reply on its connection: the next call must not get it.
func TestTransportDoesNotReuseAnUnfinishedReply(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.WriteHead(200, "Content-Type: application/json", "Content-Length: 100000000")
		for x.Err() == nil {
			x.Write([]byte(strings.Repeat("secret", 10000)))
		}
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	c.ReadHead().ReadPiece()
	c.Close()
	diff(t, "trail", []ending{{audit.PhaseSingle, audit.OutcomeClientGone, 499}}, endings(g.AwaitEvents(t, 1)))
	c = g.Dial(t)
	c.Post("/mcp", legacyCall("2", "ping", ""), bearer("admin"))
	diff(t, "next reply", `{"jsonrpc":"2.0","id":2,"result":{}}`, c.ReadReply().Body)
	diff(t, "connections", 2, g.Upstream.Conns().Accepted)
}

// TestTransportDoesNotReuseAConnectionWithLeftovers has the upstream send more than its reply.
func TestTransportDoesNotReuseAConnectionWithLeftovers(t *testing.T) {
	t.Parallel()
	const stray = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
	tests := []struct {
		name  string
		reply string
	}{
		{"known length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + stray},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + stray},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n" + stray},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(nil))
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
				x.WriteRaw([]byte(test.reply))
				x.Hold(context.Background())
			})
			c := g.Dial(t)
			c.Post("/mcp", toolCall, bearer("admin"))
			c.ReadReply()
			c.Post("/mcp", legacyCall("2", "ping", ""), bearer("analyst"))
			diff(t, "next reply", `{"jsonrpc":"2.0","id":2,"result":{}}`, c.ReadReply().Body)
		})
	}
}

// TestTransportNoticesAStaleConnection has the upstream close its idle connections between two calls.
func TestTransportNoticesAStaleConnection(t *testing.T) {
	t.Parallel()
	g := newGateway(t, upstreamOptions(func(o *proxy.UpstreamOptions) { o.IdleTimeout = time.Minute }))
	idle := g.Dial(t)
	for i := range 5 {
		idle.Post("/mcp", toolCall, bearer("admin"))
		diff(t, "status", 200, idle.ReadReply().Status)
		g.Upstream.AwaitConns(t, func(n testkit.Conns) bool { return n.Idle == 1 })
		diff(t, "closed", 1, g.Upstream.CloseIdle())
		g.Upstream.AwaitConns(t, func(n testkit.Conns) bool { return n.Open == 0 })
		diff(t, "connections", i+1, g.Upstream.Conns().Accepted)
		testkit.Wait(t, 0, time.After(50*time.Millisecond)) // the pause is what the test is about
	}
	diff(t, "requests", 5, len(g.Upstream.Requests()))
}

// TestTransportSendsOnce has the upstream read a request and break the connection: it must not come a second time.
func TestTransportSendsOnce(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"POST", "GET", "HEAD", "PUT", "DELETE"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(func(s *setup) {
				s.Server = func(o *proxy.ServerOptions) { o.Passthrough = []string{"/do"} }
			}))
			g.Upstream.Handle(func(x *testkit.Exchange) {
				if len(g.Upstream.Requests()) > 1 { // the pooled connection of the first request is the one to break
					x.Cut()
					return
				}
				x.Reply(200, "")
			})
			c := g.Dial(t)
			for _, status := range []int{200, 502} {
				c.Send(verb, "/do", "", bearer("admin"), "Content-Length: 0")
				r := c.ReadHead
				if verb == "HEAD" {
					r = c.ReadReplyToHEAD
				}
				reply := r()
				diff(t, "status", status, reply.Status)
				reply.ReadBody()
			}
			diff(t, "requests", 2, len(g.Upstream.Requests()))
		})
	}
}

// TestTransportFailures lets the upstream fail in every way before or within a short reply.
func TestTransportFailures(t *testing.T) {
	t.Parallel()
	raw := func(reply string) func(x *testkit.Exchange) {
		return func(x *testkit.Exchange) { x.WriteRaw([]byte(reply)) }
	}
	tests := []struct {
		name   string
		script func(x *testkit.Exchange)
		status int
		reason string
	}{
		{"silent", func(x *testkit.Exchange) { x.Hold(context.Background()) }, 504, "the server took too long to answer"},
		{"silent within the head", func(x *testkit.Exchange) {
			x.WriteRaw([]byte("HTTP/1.1 200 OK\r\nContent-"))
			x.Hold(context.Background())
		}, 504, "the server took too long to answer"},
		{"silent within a short reply", func(x *testkit.Exchange) {
			x.WriteHead(200, "Content-Length: 10", "Content-Encoding: gzip", "Set-Cookie: a=b")
			x.Hold(context.Background())
		}, 504, "the server took too long to answer"},
		{"closed", (*testkit.Exchange).Cut, 502, "the server did not answer"},
		{"reset", (*testkit.Exchange).Reset, 502, "the server did not answer"},
		{"closed within the head", raw("HTTP/1.1 200 OK\r\nSet-Cookie: secret=1\r\nContent-"), 502, "the server did not answer"},
		{"closed within a short reply", raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\n\r\n{}"), 502, "the server did not answer"},
		{"bad length", raw("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), 502, "the server did not answer"},
		{"two lengths", raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 502, "the server did not answer"},
		{"unknown encoding", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 502, "the server did not answer"},
		{"long head", raw("HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 10000) + "\r\nContent-Length: 0\r\n\r\n"), 502, "the server did not answer"},
		{"switched protocols", raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), 502, "the server does not speak HTTP/1.1"},
		{"HTTP/2", raw("\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff"), 502, "the server does not speak HTTP/1.1"},
		{"another protocol", raw("SSH-2.0-OpenSSH_9.2\r\n"), 502, "the server does not speak HTTP/1.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, upstreamOptions(func(o *proxy.UpstreamOptions) {
				o.FirstByteTimeout, o.MaxHeader = 100*time.Millisecond, 4096
			}))
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) { test.script(x) })
			c := g.Dial(t)
			c.Post("/mcp", toolCall, bearer("admin"))
			r := c.ReadReply()
			diff(t, "status", test.status, r.Status)
			if !strings.Contains(r.Body, `"message":"`+test.reason+" (decision ") {
				t.Errorf("the body does not say %q: %s", test.reason, r.Body)
			}
			diff(t, "headers of the failed reply", []string(nil), headers(r.Header, "Content-Encoding", "Set-Cookie", "X-Long", "Upgrade"))
			events := g.Events()
			diff(t, "trail", []ending{{audit.PhaseSingle, audit.OutcomeUpstreamFailed, int32(test.status)}}, endings(events))
			if cause := events[0].ErrorMessage; cause == "" || strings.Contains(cause, "secret") {
				t.Errorf("the recorded cause is %q", cause)
			}
			diff(t, "requests", 1, len(g.Upstream.Requests()))
			c.Post("/mcp", legacyCall("2", "ping", ""), bearer("admin"))
			diff(t, "next reply", `{"jsonrpc":"2.0","id":2,"result":{}}`, c.ReadReply().Body)
		})
	}
}

func TestTransportUpstreamOutOfReach(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, permissive(func(s *setup) { s.Servers = []proxy.ServerOptions{deskServer("http://" + addr + "/mcp")} }))
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadReply()
	diff(t, "status", 502, r.Status)
	if !strings.Contains(r.Body, "the server cannot be reached") {
		t.Errorf("body %s", r.Body)
	}
	diff(t, "trail", []ending{{audit.PhaseSingle, audit.OutcomeUpstreamFailed, 502}}, endings(g.Events()))
}

// TestTransportBusyPool uses all connections: a further call is refused after its wait, one that waits gets a connection
// that becomes free, and listeners have connections of their own.
func TestTransportBusyPool(t *testing.T) {
	t.Parallel()
	g := newGateway(t, upstreamOptions(func(o *proxy.UpstreamOptions) { o.MaxConns, o.ConnWait = 1, 300*time.Millisecond }))
	proceed := make(chan struct{})
	g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) { <-proceed; x.JSON(200, m.Answer("{}")) })
	g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) { x.Stream(); x.Hold(context.Background()) })
	first, second, listener := g.Dial(t), g.Dial(t), g.Dial(t)
	first.Post("/mcp", toolCall, bearer("admin"))
	g.Upstream.AwaitRequests(t, 1)
	began := time.Now()
	second.Post("/mcp", legacyCall("2", "ping", ""), bearer("admin"))
	r := second.ReadReply()
	diff(t, "refused", seen{503, []string{"Retry-After: 1"}, ""}, seen{r.Status, headers(r.Header, "Retry-After"), ""})
	if took := time.Since(began); took < 250*time.Millisecond || took > 5*time.Second {
		t.Errorf("refused after %s", took)
	}
	openings()[1].open(listener)
	diff(t, "listener", 200, listener.ReadHead().Status)
	second.Post("/mcp", legacyCall("3", "ping", ""), bearer("admin"))
	close(proceed)
	diff(t, "first", 200, first.ReadReply().Status)
	diff(t, "waiting", 200, second.ReadReply().Status)
}

func TestTransportRequestHeaders(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	c := g.Dial(t)
	c.Post("/mcp?a=1&b=%20x&a=2", toolCall, "X-Api-Key: "+keyFor("admin"),
		"Connection: keep-alive, X-Secret-Hop", "X-Secret-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Authorization: Basic x",
		"TE: trailers", "Accept-Encoding: gzip, br", "X-Sark-Principal: root", "x-sark-roles: admin", "X-Sark-Exchange-Id: 1",
		"X-Sark-Decision-Id: 2", "X-Forwarded-For: 9.9.9.9", "Mcp-Session-Id: s-1", "Mcp-Custom: kept", "User-Agent: test/1",
		"Traceparent: 00-11111111111111111111111111111111-2222222222222222-01", "X-Custom: a", "X-Custom: b", "X-Custom: c")
	reply := c.ReadReply()
	diff(t, "status", 200, reply.Status)
	up := g.Upstream.Requests()[0]
	event := g.Events()[0]
	diff(t, "request line", "POST /mcp?a=1&b=%20x&a=2 HTTP/1.1", up.Method+" "+up.Target+" "+up.Proto)
	diff(t, "body", toolCall, string(up.Body))
	gone := headers(up.Header, "Authorization", "X-Api-Key", "Connection", "X-Secret-Hop", "Keep-Alive", "Proxy-Authorization", "Te", "Accept-Encoding")
	diff(t, "dropped", []string(nil), gone)
	kept := headers(up.Header, "Host", "Content-Type", "Content-Length", "Accept", "Mcp-Session-Id", "Mcp-Custom", "User-Agent", "X-Custom", "X-Sark-Principal",
		"X-Sark-Roles", "X-Sark-Exchange-Id", "X-Sark-Decision-Id", "X-Forwarded-For")
	want := []string{
		"Host: " + g.Upstream.Addr(), "Content-Type: application/json", "Content-Length: " + strconv.Itoa(len(toolCall)),
		"Accept: application/json, text/event-stream", "Mcp-Session-Id: s-1", "Mcp-Custom: kept", "User-Agent: test/1",
		"X-Custom: a", "X-Custom: b", "X-Custom: c", "X-Sark-Principal: admin@example.com", "X-Sark-Roles: admin", "X-Sark-Exchange-Id: " + event.ExchangeID.String(),
		"X-Sark-Decision-Id: " + event.DecisionID.String(), "X-Forwarded-For: 127.0.0.1",
	}
	diff(t, "sent", want, kept)
	diff(t, "decision id", event.DecisionID.String(), reply.Header.Value("X-Sark-Decision-Id"))
	diff(t, "user agent and trace in the trail", []string{"test/1", strings.Repeat("1", 32), strings.Repeat("2", 16)},
		[]string{event.UserAgent, event.TraceID, event.SpanID})
}

// TestTransportRequestWithoutExtras sees that nothing is invented for a client that sent little.
func TestTransportRequestWithoutExtras(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	c := g.Dial(t)
	c.Write("POST /desk/mcp HTTP/1.1\r\nHost: " + g.Addr + "\r\n" + bearer("admin") + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"a\r\n" + toolCall[:10] + "\r\n" + strconv.FormatInt(int64(len(toolCall)-10), 16) + "\r\n" + toolCall[10:] + "\r\n0\r\n\r\n")
	diff(t, "status", 200, c.ReadReply().Status)
	up := g.Upstream.Requests()[0]
	var names []string
	for _, f := range up.Header {
		names = append(names, f.Name)
	}
	diff(t, "request line", "POST /mcp", up.Method+" "+up.Target)
	diff(t, "body", toolCall, string(up.Body))
	diff(t, "headers", []string{"Host", "Content-Type", "Content-Length", "X-Sark-Principal", "X-Sark-Roles", "X-Sark-Exchange-Id", "X-Sark-Decision-Id", "X-Forwarded-For"}, names)
}

func TestTransportLongRequests(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	body := legacyCall("1", "tools/call", `"name":"echo","arguments":{"text":"`+strings.Repeat("x", 3<<20)+`"}`)
	c := g.Dial(t)
	c.Post("/mcp", body, bearer("admin"), "X-Long: "+strings.Repeat("y", 12_000), "Expect: 100-continue")
	diff(t, "status", 200, c.ReadReply().Status)
	up := g.Upstream.Requests()[0]
	if string(up.Body) != body || len(up.Header.Value("X-Long")) != 12_000 {
		t.Error("the request was changed")
	}
}

func TestTransportConfiguredQueryWins(t *testing.T) {
	t.Parallel()
	up := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := newGateway(t, permissive(func(s *setup) { s.Servers = []proxy.ServerOptions{deskServer(up.URL() + "/base/%6dcp?tenant=1")} }))
	c := g.Dial(t)
	c.Post("/desk/mcp?tenant=2", toolCall, bearer("admin"))
	diff(t, "status", 200, c.ReadReply().Status)
	diff(t, "target", "/base/%6dcp?tenant=1", up.Requests()[0].Target)
}

func TestTransportReplyHeaders(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, m.Answer("{}"), "Connection: X-Hop, close", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic", "Upgrade: h2c",
			"Server: upstream/1", "Date: Thu, 01 Jan 1970 00:00:00 GMT", "Mcp-Session-Id: s-1", "X-Custom: a", "X-Custom: b",
			"Set-Cookie: a=b", "X-Sark-Decision-Id: forged", "X-Accel-Buffering: no")
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadReply()
	diff(t, "dropped", []string(nil), headers(r.Header, "Connection", "X-Hop", "Keep-Alive", "Proxy-Authenticate", "Upgrade"))
	want := []string{"Server: upstream/1", "Mcp-Session-Id: s-1", "X-Custom: a", "X-Custom: b", "Set-Cookie: a=b", "X-Accel-Buffering: no"}
	diff(t, "kept", want, headers(r.Header, "Server", "Mcp-Session-Id", "X-Custom", "Set-Cookie", "X-Accel-Buffering"))
	diff(t, "dates", 1, len(r.Header.Values("Date")))
	diff(t, "decision", []string{g.Events()[0].DecisionID.String()}, r.Header.Values("X-Sark-Decision-Id"))
	c.Post("/mcp", legacyCall("2", "ping", ""), bearer("admin")) // the server closed its connection, the client's lives
	diff(t, "next", 200, c.ReadReply().Status)
}

// TestTransportCutLongReply cuts a long reply of known length: the client can tell, and the trail says whose fault it is.
func TestTransportCutLongReply(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.WriteHead(200, "Content-Length: 1000000")
		x.Write([]byte(strings.Repeat("x", 999_999)))
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadReply()
	diff(t, "error", io.ErrUnexpectedEOF.Error(), errText(r.Err))
	diff(t, "trail", []ending{{audit.PhaseSingle, audit.OutcomeUpstreamFailed, 200}}, endings(g.AwaitEvents(t, 1)))
}
