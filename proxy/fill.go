package proxy

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"sark/cachemw"
	"sark/internal/mcp"
)

// invalidateTimeout bounds an invalidation on the way of a reply. What is not certain by then is owed (see cachemw.Cache).
const invalidateTimeout = 250 * time.Millisecond

// storable offers an upstream's result to the cache.
func (h *Handler) storable(x *Exchange, r *mcp.Reply, now time.Time) {
	c, resp := &x.cache, &x.ctx.Response
	if c.status != cacheMiss || x.target.kind != kindMCP || c.generation == 0 {
		return
	}
	s := x.target.server
	fresh, ok := cachemw.ResultFreshness(r, s.says)
	says := cachemw.ParseDirectives(fieldOf(resp.Header.PeekAll("Cache-Control")))
	keep, personal := selects(resp)
	if !ok || !keep || resp.StatusCode() != 200 || says.NoStore || len(resp.Header.Peek("Set-Cookie")) > 0 {
		h.habits.note(c.name, c.class, sharedNone)
		h.land(x, cachemw.Entry{}, false)
		return
	}
	if ttl := x.Decision.Obligations.CacheTTL; ttl >= 0 && ttl < fresh.TTL {
		fresh.TTL = ttl
	}
	if fresh.TTL <= 0 {
		return
	}
	scope, key := fresh.Scope, c.private
	if s.private || says.Private || personal {
		scope = cachemw.Private
	}
	if scope == cachemw.Public {
		key = c.public
	}
	e := cachemw.Entry{
		Class: c.class, Status: 200, ContentType: "application/json", Body: r.Result,
		Framed: eventStream(resp.Header.ContentType()), Cost: x.upstreamTime,
		Stored: now, TTL: fresh.TTL, Scope: scope, Generation: c.generation,
	}
	c.stored, c.lifetime = true, e.TTL
	h.habits.note(c.name, c.class, sharingOf(scope))
	h.o.Cache.Store(x.context(), key, e)
	h.land(x, e, true)
}

// selects says what a server's Vary means for a result: whether it may be kept at all, and for one caller alone. A result may
// call itself public; but who sends another value of a field that is in no key of MCP results would have got another one (RFC
// 9110 section 12.5.5), and many users may be behind one credential.
func selects(resp *fasthttp.Response) (keep, personal bool) {
	for _, line := range resp.Header.PeekAll("Vary") {
		for name := range bytes.SplitSeq(line, []byte{','}) {
			switch strings.ToLower(string(bytes.TrimSpace(name))) {
			case "", "origin", "accept", "accept-encoding", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name":
			case "authorization", "cookie": // requests with a cookie pass the cache by
				personal = true
			default:
				return false, true
			}
		}
	}
	return true, personal
}

// storePlain offers a reply of the management API to the cache.
func (h *Handler) storePlain(x *Exchange, now time.Time) {
	c, resp := &x.cache, &x.ctx.Response
	if c.status != cacheMiss || x.target.kind != kindLocal || resp.StatusCode() != 200 || c.generation == 0 {
		return
	}
	e := cachemw.Entry{
		Class: c.class, Status: 200, ContentType: string(resp.Header.ContentType()), Body: resp.Body(),
		Stored: now, TTL: c.ttl, Scope: cachemw.Private, Generation: c.generation,
	}
	if ttl := x.Decision.Obligations.CacheTTL; ttl >= 0 && ttl < e.TTL {
		e.TTL = ttl
	}
	if e.TTL <= 0 {
		return
	}
	c.stored, c.lifetime = true, e.TTL
	h.o.Cache.Store(x.context(), c.private, e)
	h.land(x, e, true)
}

// heard forgets what a server has said, or said of its tools, when it tells a client, on a stream that passes, that this has
// changed. The notification goes on after that, so that who asks again gets a new answer.
func (h *Handler) heard(x *Exchange, method string) {
	const begin = "notifications/"
	what, ok := strings.CutPrefix(method, begin)
	if !ok || x.target.kind != kindMCP {
		return
	}
	if what == "tools/list_changed" {
		x.target.server.mirrors.forget()
	}
	if h.o.Cache == nil {
		return
	}
	switch what {
	case "tools/list_changed", "prompts/list_changed", "resources/list_changed", "resources/updated":
		h.forget(x.target.server.name)
	}
}

// forget invalidates what is kept under a name. What cannot be made certain in time is not served meanwhile.
func (h *Handler) forget(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), invalidateTimeout)
	defer cancel()
	if err := h.o.Cache.Invalidate(ctx, name); err != nil {
		h.o.Log.Warn("an invalidation is tried again", zap.String("server_name", name), zap.Error(err))
	}
}

// CacheNames returns the names under which replies of a server are kept, for invalidation: its own, and those of the other
// paths that are reachable.
func CacheNames(o *ServerOptions) []string {
	names := []string{o.Name}
	for _, path := range o.Passthrough {
		names = append(names, plainName(o.Name, path))
	}
	return names
}

// plainName is the name under which replies of one path are kept: a write to it invalidates no other one. No server has a
// space in its name.
func plainName(server, path string) string { return server + " " + path }

// says is what an operator says about the freshness of a server's results where the server does not.
func says(o *ServerOptions) cachemw.Freshness {
	f := cachemw.Freshness{TTL: o.CacheTTL, Scope: cachemw.Scope(o.CacheScope)}
	if f.TTL > 0 && f.Scope == "" {
		f.Scope = cachemw.Private
	}
	return f
}
