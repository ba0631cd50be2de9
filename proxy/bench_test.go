package proxy_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
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
	benchmarkEach(b, addr, request, func([]byte) {})
}

// benchmarkEach is benchmark with something else in each request: next changes a goroutine's copy of it.
func benchmarkEach(b *testing.B, addr, request string, next func(raw []byte)) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		raw := []byte(request)
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		r := bufio.NewReader(c)
		var resp fasthttp.Response
		for pb.Next() {
			next(raw)
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

// BenchmarkCacheMiss is what the cache adds to requests that it never answers: each reads another resource of a kilobyte,
// which is stored, long after the cache is full. Without the cache the requests are the same.
func BenchmarkCacheMiss(b *testing.B) {
	const (
		digits = 8
		body   = `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"bench://00000000","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
		head   = `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","ttlMs":3600000,"cacheScope":"public","contents":[{"uri":"bench://0","text":"`
		tail   = `"}]}}`
	)
	reply := head + strings.Repeat("x", 1024-len(head)-len(tail)) + tail
	upstream := benchUpstream(b, func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		ctx.SetBodyString(reply)
	})
	miss := func(b *testing.B, c *cachemw.Cache) {
		addr := benchGateway(b, upstream, func(o *proxy.Options) {
			if c != nil {
				o.Cache = c
			}
		})
		request := testkit.FormatRequest("POST", "/mcp", addr, body, bearer("admin"), "Content-Type: application/json", "Mcp-Name: bench://00000000",
			"Accept: application/json, text/event-stream", "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: resources/read")
		inName, inBody := strings.Index(request, "//0000")+2, strings.LastIndex(request, "//0000")+2
		var count atomic.Uint64
		benchmarkEach(b, addr, request, func(raw []byte) {
			for n, i := count.Add(1), digits-1; i >= 0; n, i = n/10, i-1 {
				raw[inName+i] = byte('0' + n%10)
				raw[inBody+i] = raw[inName+i]
			}
		})
	}
	b.Run("off", func(b *testing.B) { miss(b, nil) })
	b.Run("on", func(b *testing.B) {
		c, err := cachemw.New(cachemw.Options{MaxBytes: 8 << 20}) // full after some thousands
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		miss(b, c)
		if s := c.Stats(); s.Hits+s.Stale > 0 || s.Stores < uint64(b.N) {
			b.Errorf("%d requests: %+v", b.N, s)
		}
	})
}
