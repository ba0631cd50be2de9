package proxy

import (
	"slices"

	"github.com/valyala/fasthttp"

	"sark/cachemw"
	"sark/internal/audit"
)

// plainFill is a plain reply on its way into the cache.
type plainFill struct {
	entry cachemw.Entry
	vary  []string
	body  []byte // what has passed of a streamed reply
}

// reconcile brings the upstream's reply together with what is stored: a failure is covered up by an entry that may be served
// all the same, a 304 makes an entry fresh again, and anything else may be stored.
func (h *Handler) reconcile(x *Exchange) {
	c, resp := &x.cache, &x.ctx.Response
	switch {
	case x.target == nil || h.o.Cache == nil:
	case c.status != cacheMiss:
		h.overwritten(x)
	case h.covered(x):
		if x.ticket == nil && !h.reserve(x) {
			return
		}
		resp.Reset()
		x.problem = nil
		x.serve(h.o.Now())
	case c.plain == nil || x.problem != nil:
	case c.plain.conditional && resp.StatusCode() == fasthttp.StatusNotModified:
		h.revive(x)
	case x.ctx.IsGet():
		h.plan(x)
	}
}

// overwritten forgets what is stored of a path after a write to it (RFC 9111 section 4.4).
func (h *Handler) overwritten(x *Exchange) {
	if x.target.kind != kindPassthrough || x.problem != nil || x.ctx.Response.StatusCode() >= 400 {
		return
	}
	switch string(x.ctx.Method()) {
	case fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodOptions, fasthttp.MethodTrace:
		return
	}
	h.forget(plainName(x.target.server.name, x.path))
}

// covered reports whether the entry in hand is served instead of a failure. One that was invalidated meanwhile is not.
func (h *Handler) covered(x *Exchange) bool {
	c := &x.cache
	return (c.spare || c.ifError) && x.failed() && h.o.Cache.Generation(c.name) == c.generation
}

// failed reports whether the upstream failed, or was not to be asked, in a way that an entry in hand makes up for.
func (x *Exchange) failed() bool {
	p := x.problem
	if p == nil {
		switch x.ctx.Response.StatusCode() {
		case 500, 502, 503, 504: // RFC 5861 section 4
			return true
		}
		return false
	}
	return p.Outcome == audit.OutcomeUpstreamFailed || x.cache.spare && p.Rule == "rate_limit"
}

// revive serves the entry that the upstream says has not changed, with the fields that came, and stores it anew.
func (h *Handler) revive(x *Exchange) {
	c, now := &x.cache, x.received()
	e := c.entry.Refreshed(x.storedFields())
	x.ctx.Response.Reset()
	c.entry, c.plain.validated = e, true
	plan, ok := cachemw.PlanPlain(200, e.Field, now.Add(-x.upstreamTime), now, x.several())
	x.serve(now)
	c.result, c.status = cachemw.Hit, cacheHit
	if !ok {
		c.entry.Stored, c.entry.TTL = now, 0
		return
	}
	if fill := h.filling(x, plan, e); fill != nil {
		c.entry = fill.entry
		h.storeFill(x, fill)
	}
}

// plan decides whether a reply is stored, and does so at once when it is in memory. What is streamed is copied as it passes.
func (h *Handler) plan(x *Exchange) {
	c, resp, now := &x.cache, &x.ctx.Response, x.received()
	plan, ok := cachemw.PlanPlain(resp.StatusCode(), x.replyField, now.Add(-x.upstreamTime), now, x.several())
	var fill *plainFill
	if ok && resp.Header.ContentLength() <= maxPlain {
		fill = h.filling(x, plan, cachemw.Entry{
			Class: c.class, Status: 200, ContentType: string(resp.Header.ContentType()), Header: x.storedFields(), Cost: x.upstreamTime,
		})
	}
	if fill == nil {
		h.habits.note(c.name, c.class, sharedNone)
		h.land(x, cachemw.Entry{}, false)
		return
	}
	if x.streamed() {
		c.plain.fill = fill
		return
	}
	fill.entry.Body = resp.Body()
	h.storeFill(x, fill)
}

// filling completes an entry by its plan, the configuration and the policy; nil when nothing is to be stored.
func (h *Handler) filling(x *Exchange, plan cachemw.Plan, e cachemw.Entry) *plainFill {
	e.Stored, e.TTL, e.Keep, e.Scope, e.Generation = plan.Made, plan.TTL, plan.Keep, plan.Scope, x.cache.generation
	personal := slices.ContainsFunc(plan.Vary, func(name string) bool { return ours(canonicalName(name)) && name != "accept-encoding" })
	if personal && x.several() || !cachemw.Bounded(e.Header) {
		return nil
	}
	if personal || x.target.server.private {
		e.Scope = cachemw.Private
	}
	if ttl := x.Decision.Obligations.CacheTTL; ttl >= 0 {
		e.TTL, e.Keep = min(e.TTL, ttl), min(e.Keep, ttl)
	}
	if e.Keep <= 0 {
		return nil
	}
	return &plainFill{entry: e, vary: plan.Vary}
}

// storeFill stores a complete reply, and a marker where it varies. Those who wait look for it.
func (h *Handler) storeFill(x *Exchange, fill *plainFill) {
	c := &x.cache
	parts, e := c.plain.parts, fill.entry
	key := func(p cachemw.KeyParts) cachemw.Key {
		private, public := cachemw.NewKeys(p)
		if e.Scope == cachemw.Public {
			return public
		}
		return private
	}
	if len(fill.vary) > 0 {
		h.o.Cache.Store(x.context(), key(parts), cachemw.Marker(e, fill.vary))
		parts.Selected = x.selected(parts.Selected, fill.vary)
	}
	h.o.Cache.Store(x.context(), key(parts), e)
	c.stored, c.lifetime = true, e.TTL
	h.habits.note(c.name, c.class, sharingOf(e.Scope))
	h.land(x, cachemw.Entry{}, false)
}

// copyFill keeps what passes of a streamed reply, as long as it is not too much to be stored.
func (x *Exchange) copyFill(b []byte) {
	p := x.cache.plain
	if p == nil || p.fill == nil {
		return
	}
	if n := len(p.fill.body) + len(b); n > maxPlain || !x.hold(x.bodyIn()+n) {
		p.fill = nil
		x.hold(x.bodyIn()) // it was charged before
		return
	}
	p.fill.body = append(p.fill.body, b...)
}

// endFill stores a streamed reply that has come to its end.
func (h *Handler) endFill(x *Exchange) {
	if p := x.cache.plain; p != nil && p.fill != nil {
		p.fill.entry.Body = p.fill.body
		h.storeFill(x, p.fill)
	}
}

// storedFields copies the fields of the reply that are stored.
func (x *Exchange) storedFields() []cachemw.HeaderField {
	var fields []cachemw.HeaderField
	for name, value := range x.ctx.Response.Header.All() {
		if cachemw.StoredField(string(name)) {
			fields = append(fields, cachemw.HeaderField{Name: string(name), Value: string(value)})
		}
	}
	return fields
}
