package cachemw

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fields returns the value of a header field with its lines joined by ", "; "" when it is absent.
type Fields func(name string) string

// revalidateFor is how long a stale entry with a validator is kept: asking whether it has changed costs less than it does.
const revalidateFor = time.Hour

// Plan is what becomes of a plain HTTP response: how it is stored.
type Plan struct {
	// Scope says who may share it.
	Scope Scope
	// Made is when the origin made it: when it was received, less the age it had.
	Made time.Time
	// TTL is its freshness lifetime from Made, and Keep how long it is kept.
	TTL, Keep time.Duration
	// Vary lists the request fields that select it, in lower case and sorted; nil when none do.
	Vary []string
}

// PlanPlain reports whether and how a response to a plain GET may be stored (RFC 9111 section 3). asked and received are
// when the request was sent and the reply came. several says that the partition of private entries is not one caller's
// alone.
//
// Only explicit freshness counts, or "no-cache" and "max-age=0" with a validator. A gateway tells the upstream who asks,
// with or without an Authorization field, so only what says so may be shared: public, s-maxage or must-revalidate (section
// 3.5). Anything else is private to the caller.
func PlanPlain(status int, f Fields, asked, received time.Time, several bool) (Plan, bool) {
	d := ParseDirectives(f("Cache-Control"))
	vary, known := varyNames(f("Vary"))
	switch {
	case status != http.StatusOK, d.NoStore, !known, f("Set-Cookie") != "", f("Mcp-Session-Id") != "", f("Content-Range") != "", isEventStream(f("Content-Type")), f("Content-Type") == markerType:
		return Plan{}, false
	case d.Private && several:
		return Plan{}, false
	}
	p := Plan{Scope: Private, Vary: vary}
	if !d.Private && (d.Public || d.SMaxAge.Set || d.MustRevalidate) {
		p.Scope = Public
	}
	var explicit bool
	if p.TTL, explicit = lifetime(d, f, received, p.Scope); !explicit {
		return Plan{}, false
	}
	p.Made = received.Add(-initialAge(f, asked, received))
	p.Keep = p.TTL + grace(d, f)
	return p, p.Keep > received.Sub(p.Made)
}

// lifetime returns the freshness lifetime (section 4.2.1), and false when the response does not name one.
func lifetime(d Directives, f Fields, received time.Time, scope Scope) (time.Duration, bool) {
	switch {
	case d.NoCache:
		return 0, true
	case d.SMaxAge.Set && scope == Public:
		return d.SMaxAge.Duration, true
	case d.MaxAge.Set:
		return d.MaxAge.Duration, true
	}
	expires := f("Expires")
	if expires == "" {
		return 0, false
	}
	until, ok := parseDate(expires)
	if !ok { // "0" in particular: already expired
		return 0, true
	}
	return min(maxTTL, max(0, until.Sub(date(f, received)))), true
}

// date returns the Date of a response, when it came if it has none.
func date(f Fields, received time.Time) time.Time {
	if t, ok := parseDate(f("Date")); ok {
		return t
	}
	return received
}

// initialAge returns how old a response is when it comes (section 4.2.3).
func initialAge(f Fields, asked, received time.Time) time.Duration {
	apparent := max(0, received.Sub(date(f, received)))
	if apparent < time.Second { // Date counts whole seconds
		apparent = 0
	}
	first, _, _ := strings.Cut(f("Age"), ",")
	corrected := seconds(strings.TrimSpace(first))
	if corrected > 0 {
		corrected += max(0, received.Sub(asked))
	}
	return min(maxTTL, max(apparent, corrected))
}

// grace returns how long a response is of use after its lifetime.
func grace(d Directives, f Fields) time.Duration {
	g := max(d.StaleWhileRevalidate.Duration, d.StaleIfError.Duration)
	if d.MustRevalidate || d.NoCache {
		g = 0
	}
	if f("ETag") != "" || f("Last-Modified") != "" {
		g = max(g, revalidateFor)
	}
	return min(maxTTL, g)
}

// varyNames returns what a Vary field names, in lower case and sorted. It reports false for "*". The caller's own
// credential is left out: it never reaches the upstream as it came, and entries know who may share them.
func varyNames(field string) ([]string, bool) {
	var names []string
	for name := range strings.SplitSeq(field, ",") {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "":
		case "*":
			return nil, false
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// isEventStream reports whether a Content-Type is that of server-sent events.
func isEventStream(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream")
}

// Field returns the value of a stored header field, "" when there is none; it is a Fields.
func (e Entry) Field(name string) string {
	if strings.EqualFold(name, "Content-Type") {
		return e.ContentType
	}
	value := ""
	for _, h := range e.Header {
		if strings.EqualFold(h.Name, name) {
			if value != "" {
				value += ", "
			}
			value += h.Value
		}
	}
	return value
}

// PlainUse is what a stored plain response may be used for.
type PlainUse struct {
	// Now says that it may be served as it is.
	Now bool
	// While says that it may be served while somebody asks the upstream (stale-while-revalidate).
	While bool
	// IfError says that it may be served when the upstream fails (stale-if-error).
	IfError bool
}

// PlainUse says what the entry may be used for at now, for a request with these directives (RFC 9111 section 4, RFC 5861).
func (e Entry) PlainUse(asked Directives, now time.Time) PlainUse {
	d := ParseDirectives(e.Field("Cache-Control"))
	stale := e.Age(now) - e.TTL
	var u PlainUse
	if !d.MustRevalidate && !d.NoCache && !(d.SMaxAge.Set && e.Scope == Public) { // s-maxage is proxy-revalidate, too
		u.While = d.StaleWhileRevalidate.Set && stale < d.StaleWhileRevalidate.Duration
		u.IfError = max(d.StaleIfError.Duration, asked.StaleIfError.Duration) > stale
		u.Now = asked.MaxStale.Set && stale <= asked.MaxStale.Duration
	}
	u.Now = u.Now || stale < 0
	if asked.MaxAge.Set && e.Age(now) > asked.MaxAge.Duration || asked.MinFresh.Set && -stale < asked.MinFresh.Duration {
		u.Now, u.While = false, false
	}
	if asked.NoCache {
		return PlainUse{}
	}
	return u
}
