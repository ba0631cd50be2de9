package proxy

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"sark/cachemw"
	"sark/internal/mcp"
)

// fromCache reports whether the reply comes from the cache.
func (x *Exchange) fromCache() bool {
	return x.cache.status == cacheHit || x.cache.status == cacheStale
}

// replay writes the stored answer. An MCP result is JSON here; frame makes an event of it after it was filtered.
func (h *Handler) replay(x *Exchange) {
	e, resp := &x.cache.entry, &x.ctx.Response
	age := e.Age(x.cache.now)
	resp.SetStatusCode(e.Status)
	resp.Header.SetContentType(e.ContentType)
	x.number("Age", age/time.Second)
	switch x.target.kind {
	case kindPassthrough:
		x.replayPlain()
	case kindLocal:
		resp.SetBody(e.Body)
	default:
		h.replayResult(x, age)
	}
	x.cacheHeaders(e.TTL - age)
}

// replayResult writes a stored result as the upstream's reply would stand there, with the caller's id and what is left of
// its lifetime. Where its layout is known a list is filtered on the way, for this caller; otherwise filter reads the reply
// like any other.
func (h *Handler) replayResult(x *Exchange, age time.Duration) {
	e := &x.cache.entry
	layout := e.Layout
	if layout == nil {
		layout, _ = mcp.ReadLayout(e.Body)
	}
	b := mcp.AppendResultHead(slices.Grow(x.scratch[:0], len(e.Body)+replyOverhead+len(x.Call.ID)), x.Call.ID)
	switch {
	case layout == nil: // filter refuses it if it is to be a list
		b = append(b, e.Body...)
	case h.siftable(x, layout):
		var n mcp.Filtered
		b, n = layout.Append(b, e.Body, age, func(list, id string) bool { return h.visible(x, list, id) })
		x.out.items, x.out.hidden = n.Items, n.Items-n.Kept
		x.cache.sifted = true
	default:
		b, _ = layout.Append(b, e.Body, age, nil)
	}
	x.scratch = append(b, '}')
	x.ctx.Response.SetBody(x.scratch)
}

// replyOverhead is more than a reply has around its result and its id.
const replyOverhead = 64

// siftable reports whether a list can be filtered without reading the reply again: whatever a redaction or the table of
// mirrored arguments wants to know is not known to a layout.
func (h *Handler) siftable(x *Exchange, l *mcp.Layout) bool {
	return mcp.ListKey(x.Call.Method) != "" && x.resultMask() == nil && !l.MayMirror() && x.target.server.mirrors.empty()
}

// frame turns a replayed result into an event stream of one event when the upstream answered so and the caller accepts it,
// or when the caller accepts nothing else.
func (h *Handler) frame(x *Exchange) {
	accept := x.ctx.Request.Header.Peek("Accept")
	events := bytes.Contains(accept, []byte("text/event-stream"))
	only := events && !bytes.Contains(accept, []byte("application/json"))
	if x.problem != nil || x.target.kind != kindMCP || !events || !x.cache.entry.Framed && !only {
		return
	}
	resp := &x.ctx.Response
	resp.Header.SetContentType("text/event-stream")
	resp.SetBodyRaw(mcp.AppendFrame(make([]byte, 0, len(resp.Body())+32), resp.Body()))
}

// cacheHeaders tells the caller about caching where it was considered. left is what is left of the lifetime of a stored
// answer.
func (x *Exchange) cacheHeaders(left time.Duration) {
	c, hd := &x.cache, &x.ctx.Response.Header
	if c.status == "" {
		return
	}
	x.scratch = append(x.scratch[:0], c.status...)
	hd.SetCanonical([]byte("X-Cache"), x.scratch)
	if !x.fromCache() {
		left = c.lifetime
	}
	if left > 0 {
		x.number("X-Cache-Ttl", left/time.Second)
	}
	x.scratch = x.appendCacheStatus(x.scratch[:0], left)
	hd.SetCanonical([]byte("Cache-Status"), x.scratch)
	if x.h.o.CacheKeys && !c.result.Bypass() && c.generation != 0 {
		x.scratch = hex.AppendEncode(x.scratch[:0], x.keyInUse())
		hd.SetCanonical([]byte("X-Cache-Key"), x.scratch)
	}
}

// appendCacheStatus appends the member of this cache in the Cache-Status field (RFC 9211).
func (x *Exchange) appendCacheStatus(b []byte, left time.Duration) []byte {
	c := &x.cache
	b = append(b, "sark"...)
	switch {
	case c.result.Bypass():
		return append(append(b, "; fwd=bypass; detail="...), c.result.String()...)
	case c.collapsed:
		b = append(b, "; fwd=uri-miss; collapsed"...)
	case x.fromCache() && (c.plain == nil || !c.plain.validated):
		b = append(b, "; hit"...)
	default:
		b = append(append(b, "; fwd="...), c.why...)
		if c.plain != nil && c.plain.validated {
			b = append(b, "; fwd-status=304"...)
		}
		if c.stored {
			b = append(b, "; stored"...)
		}
	}
	if x.fromCache() {
		b = strconv.AppendInt(append(b, "; ttl="...), int64(left/time.Second), 10)
	}
	return b
}

// keyInUse is the key of the answer, that of private ones where it is not known.
func (x *Exchange) keyInUse() []byte {
	c := &x.cache
	if x.fromCache() && c.entry.Scope == cachemw.Public {
		return c.public[:]
	}
	return c.private[:]
}

// number sets a header of the reply, given in canonical form.
func (x *Exchange) number(name string, n time.Duration) {
	x.scratch = strconv.AppendInt(x.scratch[:0], int64(n), 10)
	x.ctx.Response.Header.SetCanonical([]byte(name), x.scratch)
}
