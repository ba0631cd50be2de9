package cachemw

import (
	"bytes"
	"strconv"
	"time"
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

// ResultFreshness reads ttlMs and cacheScope of an MCP result (revision 2026-07-28, server/utilities/caching). It reports
// false when the result must not be stored: ttlMs absent, zero or not a plain integer, cacheScope absent or unknown (the
// revision requires both, and no default would be safe), a resultType other than "complete", an "input_required" in
// particular, a repeated field, or anything but a well-formed object. The result is not changed or kept.
//
// otherwise is what an operator says of a server whose results do not: it takes the place of a field that is absent, never
// of one that is there. Its zero value says nothing.
func ResultFreshness(result []byte, otherwise Freshness) (Freshness, bool) {
	f, ok := readFields(result)
	if ok && !f.timed {
		f.ttl = min(otherwise.TTL, maxTTL)
	}
	if !ok || f.ttl <= 0 {
		return Freshness{}, false
	}
	if f.resultType != nil && string(f.resultType) != `"complete"` {
		return Freshness{}, false
	}
	if f.scope == nil && otherwise.Scope != "" {
		return Freshness{f.ttl, otherwise.Scope}, true
	}
	switch string(f.scope) {
	case `"private"`:
		return Freshness{f.ttl, Private}, true
	case `"public"`:
		return Freshness{f.ttl, Public}, true
	}
	return Freshness{}, false
}

// fields are what the caching fields of a result say.
type fields struct {
	ttl               time.Duration
	timed             bool // there is a ttlMs
	scope, resultType []byte
}

// readFields finds the caching fields at the top level of a result. It reports false when the result is no well-formed
// object, a field is repeated, or ttlMs is not a plain non-negative integer.
func readFields(result []byte) (f fields, ok bool) {
	start := skipSpace(result, 0)
	if start >= len(result) || result[start] != '{' {
		return f, false
	}
	it := elements(result[start:])
	for it.next() {
		key, ok := canonicalKey(it.key)
		if !ok {
			return f, false
		}
		var twice bool
		switch string(key) {
		case `"ttlMs"`:
			twice = f.timed
			f.timed = true
			f.ttl, ok = milliseconds(it.value)
		case `"cacheScope"`:
			twice = f.scope != nil
			f.scope = it.value
		case `"resultType"`:
			twice = f.resultType != nil
			f.resultType = it.value
		}
		if twice || !ok {
			return f, false
		}
	}
	return f, it.end > 0 && skipSpace(result, start+it.end) == len(result)
}

// milliseconds reads a plain decimal integer.
func milliseconds(number []byte) (time.Duration, bool) {
	if skipDigits(number, 0) != len(number) {
		return 0, false
	}
	digits := bytes.TrimLeft(number, "0")
	if len(digits) > len("31536000000") {
		return maxTTL, true
	}
	ms, err := strconv.ParseInt("0"+string(digits), 10, 64)
	if err != nil {
		return 0, false
	}
	return min(maxTTL, time.Duration(ms)*time.Millisecond), true
}
