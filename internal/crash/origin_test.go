package crash_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mood is how an origin answers.
type mood string

const (
	well    mood = ""
	slow    mood = "slow"
	stalled mood = "stalled" // no answer until the mood changes
	garbage mood = "garbage" // no HTTP, or no JSON
	cut     mood = "cut"     // half of a reply
)

// origin is an MCP server behind the gateways. Of the gateways it knows what they send: on whose behalf, and under which
// decision. What it says is marked with the former, and with a version that only rises.
type origin struct {
	t       *testing.T
	modern  bool // without sessions, and with lifetimes of what it says
	addr    string
	version atomic.Int64
	tools   []string

	mu        sync.Mutex
	server    *http.Server // nil while it is killed
	mood      mood
	unwell    time.Time     // when it was last not well
	news      chan struct{} // closed and replaced with each mood and each announcement
	announced int64         // the version that streams tell of
	sessions  int
	visits    map[string]*visit // by decision
	metered   []time.Time       // when the limited calls of meter came
	ended     sync.WaitGroup
}

// visit is what came of one decision.
type visit struct {
	times int
	what  string
}

func newOrigin(t *testing.T, modern bool, tools []string) *origin {
	t.Helper()
	o := &origin{t: t, modern: modern, tools: tools, news: make(chan struct{}), visits: map[string]*visit{}, addr: "127.0.0.1:0"}
	o.version.Store(1)
	o.start()
	t.Cleanup(o.kill)
	return o
}

// start lets it answer again at its address.
func (o *origin) start() {
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		o.t.Errorf("start an MCP server: %v", err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addr = l.Addr().String()
	o.unwell = time.Now()
	server := &http.Server{Handler: o, ReadHeaderTimeout: patience}
	o.server = server
	o.ended.Go(func() { _ = server.Serve(l) })
}

// kill ends it with all of its connections.
func (o *origin) kill() {
	o.mu.Lock()
	server := o.server
	o.server, o.unwell = nil, time.Now()
	o.ringLocked()
	o.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
	o.ended.Wait()
}

func (o *origin) setMood(m mood) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mood, o.unwell = m, time.Now()
	o.ringLocked()
}

func (o *origin) ringLocked() {
	close(o.news)
	o.news = make(chan struct{})
}

// unwellSince reports whether it was not well at any time since then.
func (o *origin) unwellSince(t time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.server == nil || o.mood != well || o.unwell.After(t)
}

// announce tells all open streams that what it says has changed.
func (o *origin) announce(version int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.announced = max(o.announced, version)
	o.ringLocked()
}

// url is where it is reached.
func (o *origin) url() string { return "http://" + o.addr + "/mcp" }

// message is what it reads of a request.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string            `json:"name"`
		URI       string            `json:"uri"`
		Arguments map[string]string `json:"arguments"`
	} `json:"params"`
}

// ServeHTTP notes who came before it answers.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the gateway was killed in the middle: this is no request
	}
	var m message
	if r.Method == http.MethodPost {
		if err := json.Unmarshal(body, &m); err != nil {
			o.t.Errorf("the gateway sends what is no message: %q", body)
		}
	}
	mood, news := o.note(r, m)
	switch mood {
	case well:
	case slow:
		o.wait(r, news, 150*time.Millisecond)
	case stalled:
		o.wait(r, news, patience)
	case garbage:
		if o.spoil(w, m) {
			return
		}
	case cut:
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0",`)
		return
	}
	o.answer(w, r, m)
}

// note writes down that a request has come.
func (o *origin) note(r *http.Request, m message) (mood, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id := r.Header.Get("X-Sark-Decision-Id"); id != "" {
		v := o.visits[id]
		if v == nil {
			v = &visit{what: strings.TrimSpace(r.Method + " " + r.URL.Path + " " + m.Method + " " + m.Params.Name + m.Params.URI)}
			o.visits[id] = v
		}
		v.times++
	} else {
		o.t.Errorf("%s %s %s comes without the id of a decision", r.Method, r.URL.Path, m.Method)
	}
	if m.Method == "tools/call" && m.Params.Name == meteredTool && r.Header.Get("X-Sark-Principal") == "meter" {
		o.metered = append(o.metered, time.Now())
	}
	return o.mood, o.news
}

// wait returns after a time, when the client has left, or when there is news.
func (*origin) wait(r *http.Request, news <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-news:
	case <-r.Context().Done():
	}
}

// spoil answers with what is no HTTP, or a list with what is no JSON.
func (o *origin) spoil(w http.ResponseWriter, m message) bool {
	if strings.HasSuffix(m.Method, "/list") {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":`, m.ID)
		return true
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		o.t.Errorf("take a connection: %v", err)
		return false
	}
	_, _ = io.WriteString(c, "\x00\x01 what is this?\r\n\r\n")
	_ = c.Close()
	return true
}

func (o *origin) answer(w http.ResponseWriter, r *http.Request, m message) {
	who := r.Header.Get("X-Sark-Principal")
	switch {
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/plain/"):
		scope := "public, max-age=60"
		if r.URL.Path == "/plain/mine" {
			scope = "private, max-age=60"
		} else {
			who = "all"
		}
		w.Header().Set("Cache-Control", scope)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, o.marked(who))
	case r.Method == http.MethodGet:
		o.stream(w, r, who, "")
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case m.Method == "subscriptions/listen":
		o.stream(w, r, who, string(m.ID))
	case len(m.ID) == 0:
		w.WriteHeader(http.StatusAccepted)
	default:
		o.result(w, m, who)
	}
}

// marked is a text with whom it is for and the version of the moment.
func (o *origin) marked(who string) string {
	return fmt.Sprintf("for=%s; version=%d;", who, o.version.Load())
}

func (o *origin) result(w http.ResponseWriter, m message, who string) {
	var result string
	lasting := func(scope string) string {
		if !o.modern {
			return ""
		}
		return `"ttlMs":60000,"cacheScope":"` + scope + `",`
	}
	kind := ""
	if o.modern {
		kind = `"resultType":"complete",`
	}
	switch m.Method {
	case "initialize":
		o.mu.Lock()
		o.sessions++
		w.Header().Set("Mcp-Session-Id", fmt.Sprintf("session-%d-%d", o.sessions, time.Now().UnixNano()))
		o.mu.Unlock()
		result = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"origin","version":"1"}}`
	case "tools/list":
		version := o.version.Load()
		var tools []string
		for _, name := range o.tools {
			tools = append(tools, fmt.Sprintf(`{"name":%q,"description":"version=%d;","inputSchema":{"type":"object"}}`, name, version))
		}
		result = "{" + kind + lasting("public") + `"tools":[` + strings.Join(tools, ",") + "]}"
	case "resources/read":
		scope, whose := "public", "all"
		if m.Params.URI == privateNote {
			scope, whose = "private", who
		}
		result = fmt.Sprintf(`{%s%s"contents":[{"uri":%q,"text":%q}]}`, kind, lasting(scope), m.Params.URI, o.marked(whose))
	default:
		result = fmt.Sprintf(`{%s"content":[{"type":"text","text":%q}]}`, kind, o.marked(who)+" call="+m.Params.Arguments["call"]+";")
	}
	reply := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	if o.modern || m.Method != "tools/call" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":%q}}\n\n", o.marked(who))
	_ = http.NewResponseController(w).Flush()
	_, _ = fmt.Fprintf(w, "data: %s\n\n", reply)
}

// stream sends an event each half second, and one whenever something is announced.
func (o *origin) stream(w http.ResponseWriter, r *http.Request, who, subscription string) {
	w.Header().Set("Content-Type", "text/event-stream")
	meta := ""
	send := func(method, params string) bool {
		_, err := fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":%q,\"params\":{%s%s}}\n\n", method, params, meta)
		return err == nil && http.NewResponseController(w).Flush() == nil
	}
	if subscription != "" {
		meta = `,"_meta":{"io.modelcontextprotocol/subscriptionId":` + subscription + `}`
		if !send("notifications/subscriptions/acknowledged", `"notifications":{"toolsListChanged":true}`) {
			return
		}
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	o.mu.Lock()
	told := o.announced
	o.mu.Unlock()
	for {
		o.mu.Lock()
		news, announced, gone := o.news, o.announced, o.server == nil
		o.mu.Unlock()
		if gone {
			return
		}
		if announced > told {
			if !send("notifications/tools/list_changed", fmt.Sprintf(`"version":%d`, announced)) {
				return
			}
			told = announced
		}
		select {
		case <-news:
		case <-tick.C:
			if !send("notifications/message", fmt.Sprintf(`"level":"info","data":%q`, o.marked(who))) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
