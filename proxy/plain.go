package proxy

import (
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sark/cachemw"
	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// plainClass is the class of plain HTTP requests in statistics.
const plainClass = "http"

// maxPlain is the longest plain reply in bytes that is stored.
const maxPlain = 1 << 20

// plainState is what caching knows of a plain HTTP request (RFC 9111).
type plainState struct {
	parts            cachemw.KeyParts
	asked            cachemw.Directives
	noneMatch, since string // the client's own conditions
	conditional      bool   // the upstream is asked whether the entry has changed
	validated        bool   // it has not
	fill             *plainFill
}

// cacheablePlain is cacheable for the other paths of a server. Their replies are stored for GET and used for HEAD, too.
func (h *Handler) cacheablePlain(x *Exchange) bool {
	c, hd := &x.cache, &x.ctx.Request.Header
	if !x.ctx.IsGet() && !x.ctx.IsHead() {
		return false
	}
	c.class, c.server = plainClass, x.target.server.name
	c.name = plainName(c.server, x.path)
	asked := cachemw.ParseDirectives(fieldOf(hd.PeekAll("Cache-Control")))
	if len(hd.Peek("Cache-Control")) == 0 && strings.Contains(strings.ToLower(string(hd.Peek("Pragma"))), "no-cache") {
		asked.NoCache = true // RFC 9111 section 5.4
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return len(hd.Peek(n)) > 0 })
	}
	c.result = cachemw.Hit
	switch {
	case asked.NoStore:
		c.result = cachemw.BypassNoStore
	case len(x.ctx.Request.Body()) > 0: // which goes upstream, and is in no key
		c.result = cachemw.BypassContent
	case has("Range", "If-Range", "If-Match", "If-Unmodified-Since"):
		c.result = cachemw.BypassPartial
	case has("Cookie"):
		c.result = cachemw.BypassCookie
	case has("Last-Event-Id") || strings.Contains(string(hd.Peek("Accept")), "text/event-stream"):
		c.result = cachemw.BypassStream
	case has(sessionHeader):
		c.result = cachemw.BypassSession
	default:
		c.plain = &plainState{asked: asked, noneMatch: fieldOf(hd.PeekAll("If-None-Match")), since: string(hd.Peek("If-Modified-Since"))}
	}
	return true
}

// lookupPlain is lookup for plain HTTP.
func (h *Handler) lookupPlain(x *Exchange) bool {
	c, p := &x.cache, x.cache.plain
	e, ok := h.findPlain(x)
	now := h.o.Now() // after the search, which may have taken its time
	if ok {
		c.entry = e
		use := e.PlainUse(p.asked, now)
		switch {
		case use.Now && !e.Fresh(now): // the client asked for no more
			return x.serve(now)
		case (use.Now || use.While) && !h.refreshes(x, now):
			return x.serve(now)
		case p.asked.NoCache || p.asked.MaxAge.Set && e.Fresh(now):
			h.miss(x, "request")
		default:
			h.miss(x, "stale")
		}
		c.ifError = use.IfError
		p.conditional = x.ctx.IsGet() && (e.Field("ETag") != "" || e.Field("Last-Modified") != "")
	} else if p.asked.NoCache {
		h.miss(x, "request")
	}
	if p.asked.OnlyIfCached { // RFC 9111 section 5.2.1.7
		x.refuse(&Problem{Status: 504, Rule: "cache", Reason: "there is no stored response", Outcome: audit.OutcomeAllowed})
		return true
	}
	if c.flight != nil || p.asked.NoCache || x.ctx.IsHead() {
		return false
	}
	return h.fly(x)
}

// landedPlain looks again when another request has asked the upstream.
func (h *Handler) landedPlain(x *Exchange) bool {
	c := &x.cache
	e, ok := h.findPlain(x)
	now := h.o.Now()
	if !ok || !e.PlainUse(c.plain.asked, now).Now {
		return false
	}
	c.entry, c.collapsed = e, true
	return x.serve(now)
}

// findPlain finds what is stored for the request, private or public. Where responses vary, a marker says on what.
func (h *Handler) findPlain(x *Exchange) (cachemw.Entry, bool) {
	p, c := x.cache.plain, &x.cache
	for i, key := range [...]cachemw.Key{c.private, c.public} {
		if i == 1 && !c.shares {
			break
		}
		e, ok := h.find(x, key)
		if vary := e.Marks(); ok && vary != nil {
			parts := p.parts
			parts.Selected = x.selected(parts.Selected, vary)
			private, public := cachemw.NewKeys(parts)
			e, ok = h.find(x, [...]cachemw.Key{private, public}[i])
			ok = ok && e.Marks() == nil
		}
		if ok {
			return e, true
		}
	}
	return cachemw.Entry{}, false
}

// selected is what the request says in the fields that responses vary on, after what it says in always. Fields that never go
// upstream select nothing, and the one that the gateway writes selects by what it writes.
func (x *Exchange) selected(always []byte, vary []string) []byte {
	return cachemw.AppendSelected(slices.Clip(always), vary, func(name string) string {
		switch n := canonicalName(name); {
		case n == headerForwarded && x.Client.IsValid():
			return string(x.appendForwardedFor(nil))
		case withheld(n, x.trusted):
			return ""
		}
		return fieldOf(x.ctx.Request.Header.PeekAll(name))
	})
}

// claims is what a trusted proxy says of the way of a request, apart from the list that the gateway writes, as it stands in
// keys. Servers make addresses of it without saying that they do, so it always selects: else one client could put a host of
// his choice into the answers of all. Nil for others, whose claims go nowhere.
func (x *Exchange) claims() (selected []byte) {
	if !x.trusted {
		return nil
	}
	for name, value := range x.ctx.Request.Header.All() {
		if n := mcp.Text(name); strings.HasPrefix(n, "X-Forwarded-") && n != headerForwarded {
			selected = cachemw.AppendSelected(selected, []string{n}, func(string) string { return mcp.Text(value) })
		}
	}
	return selected
}

// canonicalName is the spelling of a field's name that fasthttp keeps.
func canonicalName(name string) string {
	b := []byte(name)
	return string(fasthttp.AppendNormalizedHeaderKeyBytes(nil, b))
}

// fieldOf joins the lines of a field.
func fieldOf(lines [][]byte) string {
	if len(lines) == 0 {
		return ""
	}
	s := string(lines[0])
	for _, l := range lines[1:] {
		s += ", " + string(l)
	}
	return s
}

// validate makes the request conditional on the entry in hand, instead of on what the client has.
func (x *Exchange) validate() {
	p := x.cache.plain
	if p == nil || !p.conditional {
		return
	}
	hd, e := &x.ctx.Request.Header, &x.cache.entry
	hd.Del("If-None-Match")
	hd.Del("If-Modified-Since")
	if etag := e.Field("ETag"); etag != "" {
		hd.Set("If-None-Match", etag)
	}
	if modified := e.Field("Last-Modified"); modified != "" {
		hd.Set("If-Modified-Since", modified)
	}
}

// replayPlain writes the stored fields and body, or 304 when the client has them already.
func (x *Exchange) replayPlain() {
	e, p, resp := &x.cache.entry, x.cache.plain, &x.ctx.Response
	resp.Header.SetNoDefaultContentType(true)
	for _, f := range e.Header {
		resp.Header.Add(f.Name, f.Value)
	}
	if cachemw.NotModified(p.noneMatch, p.since, e.Field) {
		resp.SetStatusCode(fasthttp.StatusNotModified)
		resp.SkipBody = true
		return
	}
	resp.SetBodyRaw(e.Body)
}

// several reports whether the private partition of a request is not one caller's alone.
func (x *Exchange) several() bool { return x.Principal.Method == authn.MethodAnonymous }

// received is when the reply came.
func (x *Exchange) received() time.Time { return x.h.o.Now() }

// replyField returns a field of the upstream's reply; it is a cachemw.Fields.
func (x *Exchange) replyField(name string) string {
	hd := &x.ctx.Response.Header
	switch name {
	case "Content-Type":
		return string(hd.ContentType())
	case "Set-Cookie":
		return mcp.Text(hd.Peek("Set-Cookie"))
	}
	return fieldOf(hd.PeekAll(name))
}
