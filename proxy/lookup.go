package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"sark/cachemw"
	"sark/internal/mcp"
)

// What X-Cache and the audit trail say about caching.
const (
	cacheHit    = "HIT"
	cacheMiss   = "MISS"
	cacheStale  = "STALE"
	cacheBypass = "BYPASS"
)

// eagerness is the beta of early refreshes (see cachemw.RefreshEarly).
const eagerness = 1

// Cache keeps upstream replies. There are no errors on the way of a request: trouble is a miss.
type Cache interface {
	// Lookup returns what is kept under a key, fresh or stale.
	Lookup(ctx context.Context, k cachemw.Key) (cachemw.Entry, bool)
	// Store keeps an entry, if it may be stored.
	Store(ctx context.Context, k cachemw.Key, e cachemw.Entry)
	// Generation is read before a forward and stored with the fill, so that a fill which overlaps an invalidation is
	// never served. Zero means that nothing may be looked up or stored.
	Generation(server string) uint64
	// Invalidate makes sure that what is kept of a server is not served again.
	Invalidate(ctx context.Context, server string) error
	// TryRefresh reports whether this gateway is the one to refresh an entry that can be served meanwhile.
	TryRefresh(ctx context.Context, k cachemw.Key, e cachemw.Entry) bool
	// Count counts a request for which caching was considered.
	Count(class, server string, r cachemw.Result)
}

// lookup answers from cache when it can. It comes after the decision, so a hit never skips policy, and entries hold what
// the upstream said, so filtering still follows. Of several requests for what is not there one goes on and the others wait
// here for its answer, each as long as it would wait for the upstream. It returns true when x has an answer.
func (h *Handler) lookup(x *Exchange) bool {
	if h.o.Cache == nil || x.problem != nil || !h.cacheable(x) {
		return false
	}
	c := &x.cache
	if c.result.Bypass() {
		c.status = cacheBypass
		return false
	}
	h.miss(x, "uri-miss")
	h.keys(x)
	switch {
	case c.generation == 0:
		return false
	case c.plain != nil:
		return h.lookupPlain(x)
	}
	e, ok := h.findResult(x)
	now := h.o.Now() // after the search, which may have taken its time
	if !ok || !e.Fresh(now) {
		return h.fly(x)
	}
	c.entry = e
	if h.refreshes(x, now) {
		return false
	}
	return x.serve(now)
}

// APICacheName is the name under which replies of the local handler are kept, for invalidation.
const APICacheName = "api"

// findResult finds what is kept for the request, private or public. Where this gateway has only seen one of them kept, it does
// not look for the other: another gateway that shares the cache may have kept one, which is a miss, and then no more.
func (h *Handler) findResult(x *Exchange) (e cachemw.Entry, ok bool) {
	c := &x.cache
	if !c.shares {
		return h.find(x, c.private)
	}
	was := h.habits.of(c.name, c.class)
	first, second := c.private, c.public
	if was.kept == sharedPublic { // where the last answer was kept, this one most likely is
		first, second = second, first
	}
	if e, ok = h.find(x, first); !ok && (was.both || was.kept == sharedUnknown) {
		e, ok = h.find(x, second)
	}
	return e, ok
}

// find looks one key up. What a policy keeps from being stored for longer is not served when it is older.
func (h *Handler) find(x *Exchange, k cachemw.Key) (cachemw.Entry, bool) {
	e, ok := h.o.Cache.Lookup(x.context(), k)
	if ttl := x.Decision.Obligations.CacheTTL; ok && ttl >= 0 && e.Age(h.o.Now()) >= ttl {
		return cachemw.Entry{}, false
	}
	return e, ok
}

// serve ends the search with the entry in hand.
func (x *Exchange) serve(now time.Time) bool {
	c := &x.cache
	c.now = now
	c.status, c.result = cacheHit, cachemw.Hit
	if !c.entry.Fresh(now) {
		c.status, c.result = cacheStale, cachemw.Stale
	}
	return true
}

// miss notes that the upstream will be asked, and why.
func (h *Handler) miss(x *Exchange, why string) {
	x.cache.status, x.cache.result, x.cache.why = cacheMiss, cachemw.Miss, why
}

// refreshes reports whether this request asks the upstream although the entry in hand may be served: to spread the ends of
// lifetimes, or because it is stale. Of all gateways one request does, and has the entry to fall back on; no request goes
// upstream that is not somebody's decided and recorded one.
func (h *Handler) refreshes(x *Exchange, now time.Time) bool {
	c := &x.cache
	if e := &c.entry; e.Fresh(now) && !cachemw.RefreshEarly(*e, now, e.Cost, eagerness, 1-rand.Float64()) { //nolint:gosec // a die, no secret
		return false
	}
	key := c.private
	if c.entry.Scope == cachemw.Public {
		key = c.public
	}
	f := h.flights.Join(key, c.generation, c.partition)
	if !f.Leads() {
		f.Leave()
		return false
	}
	if !h.o.Cache.TryRefresh(x.context(), key, c.entry) {
		f.Land(cachemw.Entry{}, false)
		return false
	}
	c.flight, c.spare = f, true
	return true
}

// cacheable reports whether caching applies. For a request that would be cacheable but asks for more than a stored answer
// can give, the result is the reason.
func (h *Handler) cacheable(x *Exchange) bool {
	c := &x.cache
	switch x.target.kind {
	case kindLocal:
		if !x.ctx.IsGet() {
			return false
		}
		c.class, c.server, c.name = x.Call.Route, APICacheName, APICacheName
		ttl, ok := h.o.CacheRules.TTL(x.Call.Route)
		if c.ttl = ttl; !ok {
			c.result = cachemw.BypassRoute
		}
		return true
	case kindPassthrough:
		return h.cacheablePlain(x)
	case kindMCP:
		if x.Call.Kind != mcp.Request || !cachemw.CacheableMethod(x.Call.Method) {
			return false
		}
		c.class, c.server, c.name = x.Call.Method, x.target.server.name, x.target.server.name
		c.result = x.bypassMCP()
		return true
	case kindMetadata:
	}
	return false
}

// bypassMCP is why a request must not be answered from cache, or Hit. Legacy results say nothing about their freshness, so
// legacy requests are for servers of which the configuration does; their sessions have entries of their own.
func (x *Exchange) bypassMCP() cachemw.Result {
	hd := &x.ctx.Request.Header
	session := len(hd.Peek(sessionHeader)) > 0
	switch {
	case x.Call.Streams || len(hd.Peek("Last-Event-Id")) > 0:
		return cachemw.BypassStream
	case x.Call.Extra:
		return cachemw.BypassContent
	case x.Call.Era == mcp.Modern && session:
		return cachemw.BypassSession
	case x.Call.Era != mcp.Modern && x.target.server.says.TTL == 0:
		return cachemw.BypassLegacy
	case len(hd.Peek("Cookie")) > 0:
		return cachemw.BypassCookie
	}
	return cachemw.Hit
}

// keys computes where an answer would be. The generation is read before the forward.
func (h *Handler) keys(x *Exchange) {
	c := &x.cache
	c.generation = h.o.Cache.Generation(c.name)
	_, query, _ := bytes.Cut(x.ctx.Request.Header.RequestURI(), []byte{'?'})
	c.partition = h.partition(x)
	parts := cachemw.KeyParts{
		Partition: c.partition[:], Server: c.name, Generation: c.generation, Selected: x.claims(),
		Route: x.Call.Route, Method: x.Call.Method, Params: x.Call.Params, Query: query,
		ProtocolVersion: x.Call.ProtocolVersion, Capabilities: x.Call.ClientCapabilities,
	}
	if s := x.target.server; s != nil {
		parts.Server = s.at
	}
	if x.target.kind != kindMCP {
		parts.Method = x.path
	}
	if x.target.kind == kindLocal && cachemw.OwnRoute(x.Call.Route) {
		parts.Selected = h.self[:]
	}
	if c.plain != nil {
		parts.Query = bytes.Clone(query) // they are used again when the request's headers have changed
		c.plain.parts = parts
	}
	c.private, c.public = cachemw.NewKeys(parts)
	c.shares = x.target.kind != kindLocal && !x.target.server.private
}

// partition is who may share a private entry: the credential, or by configuration the principal behind it in the roles that
// servers are told, and the session of the legacy era. A server that sees the caller's token, or one made of it, may answer by
// any claim in it: there each token is apart.
func (h *Handler) partition(x *Exchange) [32]byte {
	p := x.Principal
	session := x.ctx.Request.Header.Peek(sessionHeader)
	byPrincipal := h.o.PartitionByPrincipal && p.KeyID == "" && !x.target.server.seesTokens()
	if !byPrincipal && len(session) == 0 {
		return p.Fingerprint
	}
	d := sha256.New()
	part := func(s string) { d.Write([]byte(strconv.Itoa(len(s)) + ":" + s)) }
	if byPrincipal {
		part(strconv.Itoa(len(p.Scopes)))
		for _, s := range slices.Concat([]string{p.Issuer, p.ID, p.ClientID}, p.Scopes, p.Roles) {
			part(s)
		}
	} else {
		part(string(p.Fingerprint[:]))
	}
	if len(session) > 0 {
		part("session")
		part(string(session))
	}
	return [32]byte(d.Sum(nil))
}

// cacheState is what lookup found out.
type cacheState struct {
	status     string // HIT, MISS, STALE, BYPASS or ""
	class      string // of statistics: route or method; "" where caching was not considered
	server     string // of statistics
	name       string // whose generation it is
	why        string // the upstream is asked (RFC 9211 section 2.2)
	result     cachemw.Result
	entry      cachemw.Entry // found, and fallen back on when spare or ifError is set
	now        time.Time     // when the entry was taken for the answer
	sifted     bool          // the answer was filtered as it was written
	partition  [32]byte      // who may share a private entry
	private    cachemw.Key
	public     cachemw.Key
	shares     bool // what is kept for everybody counts: the scope may have been narrowed since
	generation uint64
	ttl        time.Duration // of routes whose lifetime is configured
	flight     *cachemw.Flight
	plain      *plainState // of plain HTTP
	spare      bool        // the entry may be served all the same
	ifError    bool        // the entry may be served when the upstream fails
	collapsed  bool        // the answer is that of another request
	stored     bool        // and for how long it is fresh:
	lifetime   time.Duration
}
