package cachemw

import (
	"strconv"
	"strings"
	"time"
)

// Delta is a number of seconds that a directive may carry.
type Delta struct {
	time.Duration
	// Set says that the directive is there.
	Set bool
}

// Directives are what a Cache-Control field says (RFC 9111 section 5.2, RFC 5861), of a request or of a response. Unknown
// directives are left out. Of one that is repeated the smallest value counts, and a value that cannot be read is 0: in doubt
// an answer is not fresh.
type Directives struct {
	// NoStore, NoCache, Private, Public, MustRevalidate and OnlyIfCached are the directives of these names. NoCache and
	// Private with field names count for the whole response; MustRevalidate is proxy-revalidate, too.
	NoStore, NoCache, Private, Public, MustRevalidate, OnlyIfCached bool
	// MaxAge, SMaxAge, MinFresh and MaxStale are the directives of these names. A max-stale without a value is a year.
	MaxAge, SMaxAge, MinFresh, MaxStale Delta
	// StaleWhileRevalidate and StaleIfError are those of RFC 5861.
	StaleWhileRevalidate, StaleIfError Delta
}

// ParseDirectives reads the value of a Cache-Control field, whose lines are joined by commas.
func ParseDirectives(field string) Directives {
	var d Directives
	for field != "" {
		var item string
		item, field = cutItem(field)
		name, value, given := strings.Cut(item, "=")
		d.set(strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`), given)
	}
	return d
}

// cutItem cuts a list at its first comma outside quotes.
func cutItem(list string) (item, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// set notes one directive.
func (d *Directives) set(name, value string, given bool) {
	switch name {
	case "no-store":
		d.NoStore = true
	case "no-cache":
		d.NoCache = true
	case "private":
		d.Private = true
	case "public":
		d.Public = true
	case "must-revalidate", "proxy-revalidate":
		d.MustRevalidate = true
	case "only-if-cached":
		d.OnlyIfCached = true
	case "max-age":
		d.MaxAge.lower(value)
	case "s-maxage":
		d.SMaxAge.lower(value)
	case "min-fresh":
		d.MinFresh.lower(value)
	case "max-stale":
		if !given {
			value = strconv.Itoa(int(maxTTL / time.Second))
		}
		d.MaxStale.lower(value)
	case "stale-while-revalidate":
		d.StaleWhileRevalidate.lower(value)
	case "stale-if-error":
		d.StaleIfError.lower(value)
	}
}

// lower takes a value unless there is a smaller one.
func (d *Delta) lower(value string) {
	n := seconds(value)
	if !d.Set || n < d.Duration {
		d.Duration = n
	}
	d.Set = true
}

// seconds reads delta-seconds (RFC 9111 section 1.2.2), at most a year; 0 for what is none.
func seconds(value string) time.Duration {
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n > int64(maxTTL/time.Second) {
		return maxTTL
	}
	return time.Duration(n) * time.Second
}
