package proxy_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"sark/cachemw"
	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

// discard is an audit trail that keeps nothing.
type discard struct{}

func (discard) Reserve(*audit.Event) (audit.Ticket, error) { return discard{}, nil }
func (discard) Refused(*audit.Event)                       {}
func (discard) Record(*audit.Event)                        {}

// benchUpstream is a server that costs as little as one can, so that what is measured is the gateway's. reply is what it
// answers.
func benchUpstream(b *testing.B, reply func(ctx *fasthttp.RequestCtx)) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &fasthttp.Server{Handler: reply, CloseOnShutdown: true}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	b.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			b.Error(err)
		}
		if err := testkit.Wait(b, 0, done); err != nil {
			b.Error(err)
		}
	})
	return "http://" + l.Addr().String() + "/mcp"
}

// kilobyte is a tool result of 1 KiB.
func kilobyte() string {
	const head, tail = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"`, `"}]}}`
	return head + strings.Repeat("x", 1024-len(head)-len(tail)) + tail
}

// replyJSON answers with a kilobyte of known length.
func replyJSON() func(ctx *fasthttp.RequestCtx) {
	body := kilobyte()
	return func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		ctx.SetBodyString(body)
	}
}

// replyInChunks answers with a body of unknown length.
func replyInChunks(contentType, body string) func(ctx *fasthttp.RequestCtx) {
	return func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType(contentType)
		ctx.Response.SetBodyStream(strings.NewReader(body), -1)
	}
}

// benchGateway is a gateway for benchmarks: real authentication, a policy that costs nothing, an audit trail that keeps
// nothing.
func benchGateway(b *testing.B, url string, change func(*proxy.Options)) string {
	b.Helper()
	server := deskServer(url)
	o := proxy.Options{
		Authenticator: newAuthenticator(b, false), Decider: allowAll(), Recorder: discard{}, Servers: []proxy.ServerOptions{server},
	}
	if change != nil {
		change(&o)
	}
	h, err := proxy.New(o)
	if err != nil {
		b.Fatal(err)
	}
	g := &gateway{Trail: newTrail()}
	g.serve(b, h, &setup{})
	return g.Addr
}

// benchmark sends the request again and again on one connection per goroutine.
func benchmark(b *testing.B, addr, request string) {
	b.Helper()
	raw := []byte(request)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		r := bufio.NewReader(c)
		var resp fasthttp.Response
		for pb.Next() {
			if _, err := c.Write(raw); err != nil {
				b.Error(err)
				return
			}
			resp.Reset()
			if err := resp.Read(r); err != nil {
				b.Error(err)
				return
			}
			if resp.StatusCode() != http.StatusOK {
				b.Errorf("status %d: %s", resp.StatusCode(), resp.Body())
				return
			}
		}
	})
}

func callRequest(addr string) string {
	return testkit.FormatRequest("POST", "/mcp", addr, toolCall, bearer("admin"), "Content-Type: application/json",
		"Accept: application/json, text/event-stream", "User-Agent: bench/1", "Mcp-Protocol-Version: 2025-11-25", "Mcp-Session-Id: 12345678")
}

func BenchmarkDirect(b *testing.B) {
	addr := strings.TrimSuffix(strings.TrimPrefix(benchUpstream(b, replyJSON()), "http://"), "/mcp")
	benchmark(b, addr, callRequest(addr))
}

func BenchmarkCall(b *testing.B) {
	addr := benchGateway(b, benchUpstream(b, replyJSON()), nil)
	benchmark(b, addr, callRequest(addr))
}

func BenchmarkCallAnsweredByEvents(b *testing.B) {
	addr := benchGateway(b, benchUpstream(b, replyInChunks("text/event-stream", "event: message\ndata: "+kilobyte()+"\n\n")), nil)
	benchmark(b, addr, callRequest(addr))
}

func BenchmarkCallAnsweredInChunks(b *testing.B) {
	addr := benchGateway(b, benchUpstream(b, replyInChunks("application/json", kilobyte())), nil)
	benchmark(b, addr, callRequest(addr))
}

func BenchmarkCacheHit(b *testing.B) {
	c, err := cachemw.New(cachemw.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	addr := benchGateway(b, benchUpstream(b, func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		ctx.SetBodyString(result("1", `"ttlMs":3600000,"cacheScope":"public"`, "echo", "wipe"))
	}), func(o *proxy.Options) { o.Cache = c })
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	benchmark(b, addr, testkit.FormatRequest("POST", "/mcp", addr, body, bearer("admin"), "Content-Type: application/json",
		"Accept: application/json, text/event-stream", "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"))
}
