package bench

import (
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// maxConns is the number of upstream connections of the bare proxy, enough for every load.
const maxConns = 4096

// Proxy is the yardstick: the least that fasthttp can do as a reverse proxy that neither holds replies back nor reads
// them to the end before it passes them on. It governs nothing. Its replies' headers leave at once, as they must for
// MCP's event streams (valyala/fasthttp#995).
func Proxy(upstream string) *fasthttp.Server {
	client := &fasthttp.HostClient{
		Addr:                      upstream,
		MaxConns:                  maxConns,
		MaxConnWaitTimeout:        time.Second,
		MaxIdemponentCallAttempts: 1,
		NoDefaultUserAgentHeader:  true,
		StreamResponseBody:        true,
		DisablePathNormalizing:    true,
	}
	return &fasthttp.Server{
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			if err := client.Do(&ctx.Request, &ctx.Response); err != nil {
				ctx.Error(err.Error(), fasthttp.StatusBadGateway)
				return
			}
			ctx.Response.ImmediateHeaderFlush = ctx.Response.Header.ContentLength() < 0
		},
	}
}

// ServeProxy runs the bare proxy on addr in front of upstream ("host:port"), and returns only with an error.
func ServeProxy(addr, upstream string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("serve the bare proxy: %w", err)
	}
	if err := Proxy(upstream).Serve(listener); err != nil {
		return fmt.Errorf("serve the bare proxy: %w", err)
	}
	return nil
}
