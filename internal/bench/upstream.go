package bench

import (
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"
)

// replySize is the size of the upstream's reply in bytes, that of a small tool result.
const replySize = 1024

// reply is the JSON-RPC result of a tools/call, padded to replySize.
func reply() string {
	const head, tail = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"`, `"}],"isError":false}}`
	return head + strings.Repeat("x", replySize-len(head)-len(tail)) + tail
}

// ServeUpstream is the MCP server behind every variant: it answers each request on addr with the same tool result of
// 1 KiB, and returns only with an error.
func ServeUpstream(addr string) error {
	body := reply()
	server := &fasthttp.Server{
		NoDefaultServerHeader: true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBodyString(body)
		},
	}
	if err := server.ListenAndServe(addr); err != nil {
		return fmt.Errorf("serve the upstream: %w", err)
	}
	return nil
}
