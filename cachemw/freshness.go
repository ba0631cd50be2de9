package cachemw

import (
	"strconv"
	"time"

	"sark/internal/mcp"
)

// maxTTL bounds what an upstream may ask for.
const maxTTL = 365 * 24 * time.Hour

// Freshness is what a result says about its own caching.
type Freshness struct {
	// TTL is the freshness lifetime, positive and at most a year.
	TTL time.Duration
	// Scope says who may share the result.
	Scope Scope
}

// ResultFreshness says what ttlMs and cacheScope of an MCP result (revision 2026-07-28, server/utilities/caching) come to. It
// reports false when the result must not be stored: ttlMs absent, zero or not a plain integer, cacheScope absent or unknown
// (the revision requires both, and no default would be safe), a resultType other than "complete", an "input_required" in
// particular, or anything but an object. mcp.ParseReply has refused what is not well-formed, and fields that are repeated.
//
// otherwise is what an operator says of a server whose results do not: it takes the place of a field that is absent, never
// of one that is there. Its zero value says nothing.
func ResultFreshness(r *mcp.Reply, otherwise Freshness) (Freshness, bool) {
	if len(r.Result) == 0 || r.Result[0] != '{' || r.Type != nil && string(r.Type) != `"complete"` {
		return Freshness{}, false
	}
	ttl := min(otherwise.TTL, maxTTL)
	if r.TTL != nil {
		ttl = milliseconds(r.TTL)
	}
	if ttl <= 0 {
		return Freshness{}, false
	}
	switch string(r.Scope) {
	case "":
		if otherwise.Scope == "" {
			return Freshness{}, false
		}
		return Freshness{ttl, otherwise.Scope}, true
	case `"private"`:
		return Freshness{ttl, Private}, true
	case `"public"`:
		return Freshness{ttl, Public}, true
	}
	return Freshness{}, false
}

// milliseconds reads a plain decimal integer; 0 is none.
func milliseconds(number []byte) time.Duration {
	if skipDigits(number, 0) != len(number) {
		return 0
	}
	if len(number) > len("31536000000") { // JSON has no leading zeros
		return maxTTL
	}
	ms, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return min(maxTTL, time.Duration(ms)*time.Millisecond)
}
