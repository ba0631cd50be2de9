package proxy_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sark/cachemw"
	"sark/internal/testkit"
	"sark/proxy"
)

// httpCacheTable holds one row per rule of HTTP caching. A row is "# name" and steps:
//
//	upstream STATUS | Name: value | ...     what the upstream answers from now on
//	down                                    the upstream breaks every connection from now on
//	wait SPAN
//	WHO METHOD [| Name: value ...] -> X-CACHE STATUS BODY [| Name=value ...]
//
// BODY is the number of the upstream's answer, which counts its requests; "-" is none. X-CACHE is "-" for none. In header
// values "@+60s" is the HTTP date of a moment. An upstream with an ETag or Last-Modified answers 304 to a matching condition.
const httpCacheTable = "testdata/httpcache.txt"

func TestHTTPCaching(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(httpCacheTable)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split("\n"+string(text), "\n# ")[1:]
	if len(rows) < 60 {
		t.Errorf("%d rows, want at least 60", len(rows))
	}
	for _, row := range rows {
		name, steps, _ := strings.Cut(row, "\n")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newOrigin(t).run(t, steps)
		})
	}
}

// origin is a plain HTTP server that tests script, behind a gateway with a cache.
type origin struct {
	*cached
	mu     sync.Mutex
	status int
	lines  []string
	down   bool
	count  int
	before func() // runs before each answer; nil is nothing
}

func newOrigin(t *testing.T) *origin {
	up := testkit.NewUpstream(t)
	o := &origin{status: http.StatusOK}
	up.Handle(o.answer)
	o.cached = newCached(t, func(s *setup) {
		desk := deskServer(up.URL() + "/mcp")
		desk.Passthrough = []string{"/docs"}
		s.Servers, s.Anonymous = []proxy.ServerOptions{desk}, true
	})
	o.clock.Stop()
	return o
}

// answer is what the upstream does.
func (o *origin) answer(x *testkit.Exchange) {
	if o.before != nil {
		o.before()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count++
	if o.down {
		x.Reset()
		return
	}
	lines := []string{"Content-Type: text/plain"}
	dated, same := false, false
	for _, l := range o.lines {
		name, value, _ := strings.Cut(l, ": ")
		dated = dated || name == "Date"
		ask := x.Request.Header
		switch name {
		case "ETag":
			same = same || strings.Contains(ask.Value("If-None-Match"), value)
		case "Last-Modified":
			same = same || ask.Value("If-None-Match") == "" && ask.Value("If-Modified-Since") == value
		}
		lines = append(lines, l)
	}
	if !dated {
		lines = append(lines, "Date: "+o.clock.Now().UTC().Format(http.TimeFormat))
	}
	if same && o.status == http.StatusOK {
		x.WriteHead(http.StatusNotModified, lines[1:]...)
		return
	}
	body := fmt.Sprint(o.count)
	for _, l := range lines {
		if strings.HasPrefix(l, "Transfer-Encoding") {
			x.WriteHead(o.status, lines...)
			x.Write([]byte(body))
			return
		}
	}
	x.Reply(o.status, body, lines...)
}

func (o *origin) run(t *testing.T, steps string) {
	t.Helper()
	for step := range strings.SplitSeq(steps, "\n") {
		fields := strings.Fields(step)
		switch {
		case len(fields) == 0:
		case fields[0] == "wait":
			d, err := time.ParseDuration(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			o.clock.Advance(d)
		case fields[0] == "upstream":
			status, lines := o.parse(t, strings.TrimPrefix(step, "upstream "))
			o.mu.Lock()
			_, _ = fmt.Sscan(status, &o.status)
			o.lines, o.down = lines, false
			o.mu.Unlock()
		case fields[0] == "down":
			o.mu.Lock()
			o.down = true
			o.mu.Unlock()
		default:
			o.ask(t, step)
		}
	}
}

// parse splits a step into its first part and header lines.
func (o *origin) parse(t *testing.T, step string) (first string, lines []string) {
	t.Helper()
	parts := strings.Split(step, " | ")
	for _, l := range parts[1:] {
		if before, span, ok := strings.Cut(l, "@"); ok {
			d, err := time.ParseDuration(strings.TrimPrefix(span, "+"))
			if err != nil {
				t.Fatal(err)
			}
			l = before + o.clock.Now().Add(d).UTC().Format(http.TimeFormat)
		}
		lines = append(lines, strings.TrimSpace(l))
	}
	return strings.TrimSpace(parts[0]), lines
}

func (o *origin) ask(t *testing.T, step string) {
	t.Helper()
	question, expected, _ := strings.Cut(step, " -> ")
	asked, lines := o.parse(t, question)
	who, method, _ := strings.Cut(asked, " ")
	target := "/docs"
	if m, query, ok := strings.Cut(method, "?"); ok {
		method, target = m, target+"?"+query
	}
	if who != "anonymous" {
		lines = append(lines, bearer(who))
	}
	c := o.Dial(t)
	c.Send(method, target, "", lines...)
	var r *testkit.Reply
	if method == http.MethodHead {
		r = c.ReadReplyToHEAD()
	} else {
		r = c.ReadReply()
	}
	want, headers, _ := strings.Cut(expected, " | ")
	got := fmt.Sprintf("%s %d %s", or(r.Header.Value("X-Cache")), r.Status, or(r.Body))
	if r.Status >= 400 && strings.HasSuffix(want, "*") {
		got = strings.TrimSuffix(got, or(r.Body)) + "*"
	}
	diff(t, step, strings.TrimSpace(want), got)
	for _, h := range strings.Split(headers, " | ") {
		if name, value, ok := strings.Cut(strings.TrimSpace(h), "="); ok {
			if got := r.Header.Value(name); got != value {
				t.Errorf("%s: %s is %q, want %q", step, name, got, value)
			}
		}
	}
	o.AwaitEvents(t, 1)
}

// or returns "-" for nothing.
func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestHTTPCachingIsForgotten: a purge of the server reaches its other paths.
func TestHTTPCachingIsForgotten(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.run(t, "upstream 200 | Cache-Control: public, max-age=60\nadmin GET -> MISS 200 1\nadmin GET -> HIT 200 1")
	for _, name := range proxy.CacheNames(&proxy.ServerOptions{Name: "desk", Passthrough: []string{"/docs"}}) {
		if err := o.cache.Invalidate(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	o.run(t, "admin GET -> MISS 200 2")
	for _, s := range o.cache.Classes() {
		diff(t, "classes", cachemw.ClassStats{Class: "http", Server: "desk", Hits: 1, Misses: 2, Bypasses: map[string]uint64{}}, s)
	}
}
