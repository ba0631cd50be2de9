package proxy

import (
	"bytes"
	"crypto/sha256"
	"strconv"
	"time"

	"sark/cachemw"
	"sark/internal/mcp"
)

// What X-Cache and the audit trail say about caching.
const (
	cacheHit    = "HIT"
	cacheMiss   = "MISS"
	cacheBypass = "BYPASS"
)

// lookup answers from cache when it can. It comes after the decision, so a hit never skips policy, and entries hold what
// the upstream said, so filtering still follows. It returns true when x has an answer.
func (h *Handler) lookup(x *Exchange) bool {
	if h.o.Cache == nil || x.problem != nil {
		return false
	}
	kind := h.cacheable(x)
	if kind == "" {
		return false
	}
	x.cache.status = kind
	h.metrics.lookup(kind)
	if kind == cacheBypass {
		return false
	}
	ctx := x.context()
	h.keys(x)
	e, ok := h.o.Cache.Lookup(ctx, x.cache.private)
	if !ok {
		e, ok = h.o.Cache.Lookup(ctx, x.cache.public)
	}
	if !ok {
		x.cache.status = cacheMiss
		h.metrics.lookup(cacheMiss)
		return false
	}
	x.cache.entry, x.cache.status = e, cacheHit
	h.metrics.lookup(cacheHit)
	return true
}

// APICacheName is the name under which replies of the local handler are kept, for invalidation.
const APICacheName = "api"

// considered marks a request that may be answered from cache, before it is known whether it is.
const considered = "considered"

// cacheable says whether caching applies: "" not at all, BYPASS for a request that would be cacheable but asks for more
// than a stored answer can give, considered otherwise.
func (h *Handler) cacheable(x *Exchange) string {
	if x.target.kind == kindLocal {
		ttl, ok := h.o.CacheRules.TTL(x.Call.Route)
		if !ok || !x.ctx.IsGet() {
			if x.ctx.IsGet() {
				return cacheBypass
			}
			return ""
		}
		x.cache.ttl = ttl
		return considered
	}
	if x.target.kind != kindMCP || x.Call.Kind != mcp.Request || !cachemw.CacheableMethod(x.Call.Method) {
		return ""
	}
	hd := &x.ctx.Request.Header
	if x.Call.Streams || x.Call.Era != mcp.Modern || len(hd.Peek("Mcp-Session-Id")) > 0 || len(hd.Peek("Last-Event-Id")) > 0 {
		return cacheBypass // legacy results say nothing about their freshness
	}
	return considered
}

// keys computes where an answer would be. The generation is read before the forward.
func (h *Handler) keys(x *Exchange) {
	name := APICacheName
	if x.target.server != nil {
		name = x.target.server.name
	}
	x.cache.generation = h.o.Cache.Generation(name)
	_, query, _ := bytes.Cut(x.ctx.Request.Header.RequestURI(), []byte{'?'})
	x.cache.partition = h.partition(x)
	parts := cachemw.KeyParts{
		Partition: x.cache.partition[:], Server: name, Generation: x.cache.generation,
		Route: x.Call.Route, Method: x.Call.Method, Params: x.Call.Params, Query: query,
		ProtocolVersion: x.Call.ProtocolVersion, Capabilities: x.Call.ClientCapabilities,
	}
	if x.target.kind == kindLocal {
		parts.Method = x.path
	}
	x.cache.private, x.cache.public = cachemw.NewKeys(parts)
}

// partition is who may share a private entry: the credential, or by configuration the principal behind it.
func (h *Handler) partition(x *Exchange) [32]byte {
	p := x.Principal
	if !h.o.PartitionByPrincipal || p.KeyID != "" {
		return p.Fingerprint
	}
	d := sha256.New()
	for _, part := range append([]string{p.Issuer, p.ID, p.ClientID}, p.Scopes...) {
		d.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return [32]byte(d.Sum(nil))
}

// storable offers an upstream's result to the cache. result is the JSON of the result member.
func (h *Handler) storable(x *Exchange, result []byte, now time.Time) {
	resp := &x.ctx.Response
	if x.cache.status != cacheMiss || x.target.kind != kindMCP || resp.StatusCode() != 200 || len(resp.Header.Peek("Set-Cookie")) > 0 {
		return
	}
	fresh, ok := cachemw.ResultFreshness(result)
	if !ok {
		return
	}
	if ttl := x.Decision.Obligations.CacheTTL; ttl >= 0 && ttl < fresh.TTL {
		fresh.TTL = ttl
	}
	scope, key := fresh.Scope, x.cache.private
	if x.target.server.private {
		scope = cachemw.Private
	}
	if scope == cachemw.Public {
		key = x.cache.public
	}
	if fresh.TTL <= 0 {
		return
	}
	h.o.Cache.Store(x.context(), key, cachemw.Entry{
		Status: 200, ContentType: "application/json", Body: result,
		Framed: eventStream(resp.Header.ContentType()),
		Stored: now, TTL: fresh.TTL, Scope: scope, Generation: x.cache.generation,
	})
}

// storePlain offers a reply of the management API to the cache.
func (h *Handler) storePlain(x *Exchange, now time.Time) {
	resp := &x.ctx.Response
	if x.cache.status != cacheMiss || x.target.kind != kindLocal || resp.StatusCode() != 200 {
		return
	}
	h.o.Cache.Store(x.context(), x.cache.private, cachemw.Entry{
		Status: 200, ContentType: string(resp.Header.ContentType()), Body: resp.Body(),
		Stored: now, TTL: x.cache.ttl, Scope: cachemw.Private, Generation: x.cache.generation,
	})
}

// replay writes the stored answer as the upstream's reply would stand there, with the caller's id and what is left of its
// lifetime.
// It is JSON; frame makes an event of it after it was filtered.
func (h *Handler) replay(x *Exchange) {
	e, resp := &x.cache.entry, &x.ctx.Response
	age := e.Age(h.o.Now())
	resp.SetStatusCode(e.Status)
	resp.Header.SetContentType(e.ContentType)
	x.number("Age", age/time.Second)
	if x.target.kind == kindLocal {
		resp.SetBody(e.Body)
	} else {
		x.scratch = cachemw.ReduceTTL(x.scratch[:0], e.Body, age)
		resp.SetBodyRaw(mcp.AppendResult(make([]byte, 0, len(x.scratch)+64), x.Call.ID, x.scratch))
	}
	x.cacheHeaders(e.TTL - age)
}

// frame turns a replayed result into an event stream of one event when the upstream answered so and the caller accepts it.
func (h *Handler) frame(x *Exchange) {
	accepts := bytes.Contains(x.ctx.Request.Header.Peek("Accept"), []byte("text/event-stream"))
	if x.problem != nil || !x.cache.entry.Framed || !accepts {
		return
	}
	resp := &x.ctx.Response
	resp.Header.SetContentType("text/event-stream")
	resp.SetBodyRaw(mcp.AppendFrame(make([]byte, 0, len(resp.Body())+32), resp.Body()))
}

// cacheHeaders tells the caller about caching where it was considered.
func (x *Exchange) cacheHeaders(left time.Duration) {
	if x.cache.status == "" {
		return
	}
	hd := &x.ctx.Response.Header
	hd.Set("X-Cache", x.cache.status)
	if left > 0 {
		x.number("X-Cache-Ttl", left/time.Second)
	}
}

// number sets a header of the reply, given in canonical form.
func (x *Exchange) number(name string, n time.Duration) {
	x.scratch = strconv.AppendInt(x.scratch[:0], int64(n), 10)
	x.ctx.Response.Header.SetCanonical([]byte(name), x.scratch)
}
