package proxy

import (
	"strings"

	"github.com/valyala/fasthttp"

	"sark/internal/mcp"
)

// What scripts of an accepted origin may send, and read of a reply.
const (
	corsVerbs  = "POST, GET, DELETE"
	corsAsks   = "Authorization, X-API-Key, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID"
	corsReads  = "Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Sark-Decision-Id, X-Cache"
	corsMaxAge = "600" // seconds
)

// cors is the set of origins whose scripts may use this gateway. Empty switches it off.
type cors map[string]bool

func newCORS(origins []string) cors {
	c := cors{}
	for _, o := range origins {
		c[strings.ToLower(o)] = true
	}
	return c
}

// origin returns the Origin of a request when its scripts are welcome, else nil.
func (c cors) origin(hd *fasthttp.RequestHeader) []byte {
	if len(c) == 0 {
		return nil
	}
	o := hd.Peek("Origin")
	if len(o) == 0 || !c[strings.ToLower(mcp.Text(o))] {
		return nil
	}
	return o
}

// preflight reports whether a request is a browser's question about an endpoint, from an accepted origin.
func (h *Handler) preflight(x *Exchange) bool {
	hd := &x.ctx.Request.Header
	return x.ctx.IsOptions() && (x.target.kind == kindMCP || x.target.kind == kindMetadata) &&
		len(hd.Peek("Access-Control-Request-Method")) > 0 && h.cors.origin(hd) != nil
}

// answerPreflight tells the browser what it may send. Mcp-Param-* are named by the tools of a server, so those that it
// asks for are allowed by their prefix.
func (h *Handler) answerPreflight(x *Exchange) {
	asks := corsAsks
	for name := range strings.SplitSeq(string(x.ctx.Request.Header.Peek("Access-Control-Request-Headers")), ",") {
		name = strings.TrimSpace(name)
		if len(name) <= 64 && strings.HasPrefix(strings.ToLower(name), "mcp-param-") && isToken(name) {
			asks += ", " + name
		}
	}
	resp := &x.ctx.Response
	resp.SetStatusCode(fasthttp.StatusNoContent)
	resp.Header.Set("Access-Control-Allow-Methods", corsVerbs)
	resp.Header.Set("Access-Control-Allow-Headers", asks)
	resp.Header.Set("Access-Control-Max-Age", corsMaxAge)
}

// isToken reports whether text is a field name (RFC 9110 section 5.6.2).
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != ""
}

// allowOrigin lets scripts of an accepted origin read the reply. Credentials are never those that a browser adds by itself.
// What the server says about origins does not count: it knows only the gateway.
func (x *Exchange) allowOrigin() {
	c := x.h.cors
	if len(c) == 0 {
		return
	}
	hd := &x.ctx.Response.Header
	for _, name := range [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		hd.Del(name)
	}
	hd.Add("Vary", "Origin")
	if origin := c.origin(&x.ctx.Request.Header); origin != nil {
		hd.SetBytesV("Access-Control-Allow-Origin", origin)
		hd.Set("Access-Control-Expose-Headers", corsReads)
	}
}
