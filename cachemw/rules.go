package cachemw

import (
	"net/http"
	"strings"
	"time"
)

// CacheableMethod reports whether results of a JSON-RPC method may be cached at all: those that MCP revision 2026-07-28
// (server/utilities/caching) gives ttlMs and cacheScope.
func CacheableMethod(method string) bool {
	switch method {
	case "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list",
		"resources/read":
		return true
	}
	return false
}

// Storable reports whether an entry may be stored: a 200 with a body and a lifetime, of a known scope, that is no event
// stream, sets no cookie, opens no session and does not vary on everything. What else it varies on has to be part of its key (see
// KeyParts.Selected).
func Storable(e Entry) bool {
	if e.Status != http.StatusOK || len(e.Body) == 0 || e.TTL < 0 || e.kept() <= 0 || e.Stored.IsZero() {
		return false
	}
	if e.Scope != Private && e.Scope != Public {
		return false
	}
	if isEventStream(e.ContentType) {
		return false
	}
	for _, h := range e.Header {
		switch strings.ToLower(h.Name) {
		case "set-cookie", "mcp-session-id":
			return false
		case "vary":
			if strings.Contains(h.Value, "*") {
				return false
			}
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
	// Health is for the health report; the usual value is 60 s.
	Health time.Duration
	// Readiness extends Health to what says whether parts work at the moment: the readiness probe and the reports on
	// dependencies and pools. It is off by default: when it is cached it hides an outage for as long as it is kept, and
	// sends traffic to a gateway that cannot serve it.
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
	case "health":
		ttl = r.Health
	case "health.ready", "health.detailed", "health.pools":
		if r.Readiness {
			ttl = r.Health
		}
	}
	return ttl, ttl > 0
}

// OwnRoute reports whether replies of a route are about the gateway that makes them: another one that shares the cache must
// not give them out as its own.
func OwnRoute(route string) bool { return route == "health" || strings.HasPrefix(route, "health.") }
