package cachemw

import (
	"net/http"
	"strings"
	"time"
)

// CacheableMethod reports whether results of a JSON-RPC method may be cached at all: those that MCP revision 2026-07-28
// (server/utilities/caching) gives ttlMs and cacheScope, apart from resources/read, whose results are not kept yet.
func CacheableMethod(method string) bool {
	switch method {
	case "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list":
		return true
	}
	return false
}

// Storable reports whether an entry may be stored: a fresh 200 with a body, of a known scope, that is no event stream,
// sets no cookie and varies on nothing the key does not know.
func Storable(e Entry) bool {
	if e.Status != http.StatusOK || len(e.Body) == 0 || e.TTL <= 0 || e.Stored.IsZero() {
		return false
	}
	if e.Scope != Private && e.Scope != Public {
		return false
	}
	mediaType, _, _ := strings.Cut(e.ContentType, ";")
	if strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream") {
		return false
	}
	for _, h := range e.Header {
		if strings.EqualFold(h.Name, "Set-Cookie") || strings.EqualFold(h.Name, "Vary") && !variesByKey(h.Value, e.Scope) {
			return false
		}
	}
	return true
}

// variesByKey reports whether all that a Vary header names is part of the key: what the caller accepts, and for private
// entries who the caller is.
func variesByKey(vary string, scope Scope) bool {
	for name := range strings.SplitSeq(vary, ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "", "accept":
		case "authorization", "x-api-key":
			if scope != Private {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Rules gives the plain routes of the management API their freshness lifetimes. Zero turns caching of a class off.
type Rules struct {
	// ServerList is for the list of servers; the usual value is 30 s.
	ServerList time.Duration
	// ServerDetail is for one server; the usual value is 300 s.
	ServerDetail time.Duration
	// Health is for the health reports; the usual value is 60 s.
	Health time.Duration
	// Readiness extends Health to the readiness probe. It is off by default: a cached probe hides an outage for as long as
	// it is kept, and sends traffic to a gateway that cannot serve it.
	Readiness bool
}

// TTL returns the freshness lifetime of a route, and whether it may be cached. The liveness and start-up probes never are:
// they say something about this very moment.
func (r Rules) TTL(route string) (time.Duration, bool) {
	var ttl time.Duration
	switch route {
	case "servers.list":
		ttl = r.ServerList
	case "servers.get":
		ttl = r.ServerDetail
	case "health", "health.detailed", "health.pools":
		ttl = r.Health
	case "health.ready":
		if r.Readiness {
			ttl = r.Health
		}
	}
	return ttl, ttl > 0
}
