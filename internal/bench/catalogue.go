package bench

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"
)

// listed is how many tools the list of the catalogue has.
const listed = 10

// fresh is what the catalogue's results say about caching: an hour, for everybody.
const fresh = `"resultType":"complete","ttlMs":3600000,"cacheScope":"public"`

// resourceReply is the JSON-RPC result of a resources/read, padded to replySize.
func resourceReply() string {
	const head = `{"jsonrpc":"2.0","id":1,"result":{` + fresh + `,"contents":[{"uri":"bench://catalogue","text":"`
	const tail = `"}]}}`
	return head + strings.Repeat("x", replySize-len(head)-len(tail)) + tail
}

// listReply is the JSON-RPC result of a tools/list.
func listReply() string {
	b := []byte(`{"jsonrpc":"2.0","id":1,"result":{` + fresh + `,"tools":[`)
	for i := range listed {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"name":"tool_%d","description":"The tool with the number %d.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}`, i, i)
	}
	return string(append(b, "]}}"...))
}

// Catalogue is an MCP server whose replies may be cached: a resource of 1 KiB whatever its name is, a list of ten tools, and
// the resource again as the reply to a GET. It is the bare handler that a hit is compared with: what a reply costs when
// nobody has to ask for it.
func Catalogue() *fasthttp.Server {
	resource, list := resourceReply(), listReply()
	return &fasthttp.Server{
		NoDefaultServerHeader: true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			switch {
			case ctx.IsGet():
				ctx.Response.Header.Set("Cache-Control", "public, max-age=3600")
				ctx.SetBodyString(resource)
			case bytes.Contains(ctx.Request.Body(), []byte(`"tools/list"`)):
				ctx.SetBodyString(list)
			default:
				ctx.SetBodyString(resource)
			}
		},
	}
}

// ServeCatalogue runs a Catalogue on addr, and returns only with an error.
func ServeCatalogue(addr string) error {
	if err := Catalogue().ListenAndServe(addr); err != nil {
		return fmt.Errorf("serve the catalogue: %w", err)
	}
	return nil
}

// modern returns the whole HTTP request of a call of the revision whose results say how long they are fresh. name is what
// the header repeats of the call, "" for nothing. Every variant gets the same bytes.
func modern(token, method, name, params string) []byte {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	if params != "" {
		params += ","
	}
	if name != "" {
		name = "Mcp-Name: " + name + "\r\n"
	}
	call := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"%s","params":{%s%s}}`, method, params, meta)
	return fmt.Appendf(nil, "POST /mcp HTTP/1.1\r\n"+
		"Host: localhost\r\n"+
		"User-Agent: sark-bench\r\n"+
		"Accept: application/json, text/event-stream\r\n"+
		"Content-Type: application/json\r\n"+
		"Mcp-Protocol-Version: 2026-07-28\r\n"+
		"Mcp-Method: %s\r\n%s"+
		"Authorization: Bearer %s\r\n"+
		"Content-Length: %d\r\n\r\n%s", method, name, token, len(call), call)
}

// resourceRequest asks for the resource with a number, or for one with a placeholder instead.
func resourceRequest(token, number string) []byte {
	uri := "bench://catalogue/" + number
	return modern(token, "resources/read", uri, `"uri":"`+uri+`"`)
}

func listRequest(token string) []byte { return modern(token, "tools/list", "", "") }

// cataloguePath is where the catalogue answers a GET.
const cataloguePath = "/catalogue"

func plainRequest(token string) []byte {
	return fmt.Appendf(nil, "GET "+cataloguePath+" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: sark-bench\r\n"+
		"Accept: application/json\r\nAuthorization: Bearer %s\r\n\r\n", token)
}
