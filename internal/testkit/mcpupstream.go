package testkit

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
)

// JSON-RPC error codes that the upstream answers with (JSON-RPC 2.0 §5.1 and
// MCP 2026-07-28).
const (
	codeParse              = -32700
	codeMethodNotFound     = -32601
	codeUnsupportedVersion = -32022
)

// MCPOptions says what kind of MCP server an [MCPUpstream] plays.
type MCPOptions struct {
	// Sessions makes a server of revisions up to 2025-11-25: initialize opens
	// a session, every later request must name it, DELETE ends it, and modern
	// requests are refused. Without it both eras are answered, each request on
	// its own.
	Sessions bool

	// SSE sends each answer as an event stream with one event instead of JSON.
	SSE bool

	// Results replaces or adds answers: a method, or a method, a space and a
	// name ("tools/call echo"), to the result as JSON. They are sent as they
	// are in both eras; the built-in ones get the modern fields where due.
	Results map[string]string
}

// MCPUpstream is an [Upstream] that answers every MCP method plausibly. It is
// lenient where the gateway must be strict, so that whatever slips through
// shows in Calls: batches are executed, headers are not compared with bodies.
type MCPUpstream struct {
	*Upstream
	options  MCPOptions
	defaults map[string]string

	mu       sync.Mutex
	calls    map[string]int
	scripts  map[string]func(*Exchange, Message)
	sessions map[string]bool // by id; false once ended
}

// NewMCPUpstream starts the server on a free loopback port; it ends with the
// test. It answers on every path.
func NewMCPUpstream(t testing.TB, o MCPOptions) *MCPUpstream {
	t.Helper()
	u := &MCPUpstream{
		Upstream: NewUpstream(t),
		options:  o,
		defaults: defaultResults(),
		calls:    make(map[string]int),
		scripts:  make(map[string]func(*Exchange, Message)),
		sessions: make(map[string]bool),
	}
	u.Handle(u.serve)
	return u
}

// On scripts the whole reply for one key: a method, a method with a name, a
// notification's method, "response" for a client's answer, or the HTTP verbs
// "GET" and "DELETE". A key with a name goes before one without. Calls are
// counted as before.
func (u *MCPUpstream) On(key string, script func(*Exchange, Message)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.scripts[key] = script
}

// Calls returns how often each key came in. The map is the caller's.
func (u *MCPUpstream) Calls() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.calls)
}

// Send writes a JSON-RPC message as the answer, in the form that the options
// ask for.
func (u *MCPUpstream) Send(x *Exchange, message string, lines ...string) {
	if !u.options.SSE {
		x.JSON(http.StatusOK, message, lines...)
		return
	}
	x.Stream(lines...)
	x.Event(message)
}

func (u *MCPUpstream) serve(x *Exchange) {
	if x.Request.Method != http.MethodPost {
		u.serveVerb(x)
		return
	}
	messages, batch, err := readMessages(x.Request.Body)
	switch {
	case err != nil:
		x.JSON(http.StatusBadRequest, Message{ID: []byte("null")}.Refuse(codeParse, err.Error(), ""))
	case batch:
		u.serveBatch(x, messages)
	default:
		u.serveMessage(x, messages[0])
	}
}

// serveVerb answers everything but POST.
func (u *MCPUpstream) serveVerb(x *Exchange) {
	verb := x.Request.Method
	script := u.count(verb, verb)
	session := x.Request.Header.Value("Mcp-Session-Id")
	switch {
	case script != nil:
		script(x, Message{})
	case verb == http.MethodDelete && u.options.Sessions:
		if !u.endSession(session) {
			x.Reply(http.StatusNotFound, "")
			return
		}
		x.WriteHead(http.StatusNoContent)
	default:
		x.Reply(http.StatusMethodNotAllowed, "", "Allow: POST")
	}
}

// serveBatch executes every element and answers with an array (2025-03-26).
func (u *MCPUpstream) serveBatch(x *Exchange, messages []Message) {
	answers := ""
	for _, m := range messages {
		u.count(m.Key(), m.Method)
		if !m.Request() {
			continue
		}
		if answers != "" {
			answers += ","
		}
		_, answer := u.answer(m)
		answers += answer
	}
	if answers == "" {
		x.Reply(http.StatusAccepted, "")
		return
	}
	u.Send(x, "["+answers+"]")
}

func (u *MCPUpstream) serveMessage(x *Exchange, m Message) {
	script := u.count(m.Key(), m.Method)
	if u.options.Sessions && !u.admit(x, m) {
		return
	}
	switch {
	case script != nil:
		script(x, m)
	case !m.Request():
		x.Reply(http.StatusAccepted, "")
	case m.Method == "subscriptions/listen" && m.Modern:
		listen(x, m)
	case m.Method == "initialize" && u.options.Sessions:
		_, answer := u.answer(m)
		u.Send(x, answer, "Mcp-Session-Id: "+u.newSession())
	default:
		u.respond(x, m)
	}
}

// respond answers a request from the tables.
func (u *MCPUpstream) respond(x *Exchange, m Message) {
	status, answer := u.answer(m)
	if status != http.StatusOK {
		x.JSON(status, answer)
		return
	}
	u.Send(x, answer)
}

// answer finds the result for the request. An unknown method is 404 in the
// modern era and an error with 200 before.
func (u *MCPUpstream) answer(m Message) (status int, message string) {
	for _, key := range []string{m.Key(), m.Method} {
		if result, ok := u.options.Results[key]; ok {
			return http.StatusOK, m.Answer(result)
		}
	}
	result, ok := u.defaults[m.Method]
	switch {
	case ok && m.Modern:
		return http.StatusOK, m.Answer(modernized(m.Method, result))
	case ok:
		return http.StatusOK, m.Answer(result)
	case m.Modern:
		return http.StatusNotFound, m.Refuse(codeMethodNotFound, "method not found", "")
	default:
		return http.StatusOK, m.Refuse(codeMethodNotFound, "method not found", "")
	}
}

// listen acknowledges a subscription and keeps the stream open.
func listen(x *Exchange, m Message) {
	x.Stream()
	x.Event(fmt.Sprintf(
		`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{%q:%s}}}`,
		metaSubscription, m.ID))
	x.Hold(context.Background())
}

// count counts the key and returns the script for it, or else for the method.
func (u *MCPUpstream) count(key, method string) func(*Exchange, Message) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls[key]++
	if script := u.scripts[key]; script != nil {
		return script
	}
	return u.scripts[method]
}
