package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// client asks on behalf of one principal, one thing after the other.
type client struct {
	principal
	town   *town
	choose *rand.Rand
	http   *http.Client
	id     string // of the client, in what it asks
	asked  int

	token   string
	signed  time.Time // when the token was asked for
	session string    // with the other server; "": none
}

func newClient(w *town, p principal, n int, choose *rand.Rand) *client {
	return &client{
		principal: p, town: w, choose: choose, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}, id: fmt.Sprintf("%s-%d", p.name, n),
	}
}

// ask is a request, and what came of it.
type ask struct {
	kind    string // for the report
	call    string // its id, and its mark in a call
	at      life
	origin  *origin // nil: none is asked
	verb    string
	url     string
	body    string
	headers map[string]string

	began  time.Time
	stable int // the version of the policy in force while it was asked; 0: more than one

	status  int
	header  http.Header
	reply   []byte
	failure error
}

// newAsk is a request to one of the gateways that run; false when none does.
func (c *client) newAsk(kind string) (*ask, bool) {
	first := c.choose.IntN(2)
	for _, n := range []int{first, 1 - first} {
		if l, ok := c.town.replicas[n].now(); ok {
			c.asked++
			return &ask{kind: kind, call: fmt.Sprintf("%s-%d", c.id, c.asked), at: l, verb: http.MethodPost, headers: map[string]string{}}, true
		}
	}
	return nil, false
}

// send sends a request and reads the reply.
func (c *client) send(ctx context.Context, a *ask) {
	version, stable := c.town.policy.inForce()
	a.began = time.Now()
	a.header, a.reply, a.status, a.failure = c.exchange(ctx, a)
	if now, still := c.town.policy.inForce(); stable && still && now == version {
		a.stable = version
	}
	status := a.status
	if a.failure != nil {
		status = -1
	}
	c.town.judge.count(a.kind, status)
}

func (c *client) exchange(ctx context.Context, a *ask) (http.Header, []byte, int, error) {
	r, err := c.request(ctx, a)
	if err != nil {
		return nil, nil, 0, err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, nil, 0, err
	}
	defer res.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(res.Body)
	return res.Header, body, res.StatusCode, err
}

func (c *client) request(ctx context.Context, a *ask) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, a.verb, a.url, strings.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	if a.verb == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
	}
	c.identify(r)
	for name, value := range a.headers {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	return r, nil
}

// identify adds the credential.
func (c *client) identify(r *http.Request) {
	if c.key != "" {
		r.Header.Set("X-API-Key", c.key)
		return
	}
	if c.token == "" || c.town.keysAway.until().After(c.signed) {
		c.signed = time.Now() // before: the key may change meanwhile
		c.token = c.town.token(c.principal)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
}

// modern fills in a request to the desk.
func (a *ask) modern(w *town, method, name, params string) *ask {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	if params != "" {
		params += ","
	}
	a.origin, a.url = w.desk, "http://"+a.at.gateway.Proxy+"/desk/mcp"
	a.body = fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":%q,"params":{%s%s}}`, a.call, method, params, meta)
	a.headers["MCP-Protocol-Version"], a.headers["Mcp-Method"] = "2026-07-28", method
	if name != "" {
		a.headers["Mcp-Name"] = name
	}
	return a
}

// legacy fills in a request to the other one.
func (a *ask) legacy(w *town, session, method, params string) *ask {
	a.origin, a.url = w.old, "http://"+a.at.gateway.Proxy+"/old/mcp"
	a.body = fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":%q,"params":{%s}}`, a.call, method, params)
	if session != "" {
		a.headers["Mcp-Session-Id"], a.headers["MCP-Protocol-Version"] = session, "2025-11-25"
	}
	return a
}

// toolCall are the parameters of a call.
func (a *ask) toolCall(tool string) string {
	return fmt.Sprintf(`"name":%q,"arguments":{"call":%q}`, tool, a.call)
}

// response is what a client reads of a reply.
type response struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    struct {
			Reason     string `json:"reason"`
			Rule       string `json:"rule"`
			ExchangeID string `json:"exchange_id"`
			DecisionID string `json:"decision_id"`
		} `json:"data"`
	} `json:"error"`
}

// outcome is what a reply means.
type outcome struct {
	result string // of a call that was answered
	rule   string // of one that was refused
	excuse string // why it was neither: something else was not well
}

// marks find whose a text is, and its version.
var (
	whose       = regexp.MustCompile(`for=([^;"\\]*);`)
	versionMark = regexp.MustCompile(`version=(\d+);`)
)

// private looks whether a text holds anything of somebody else's.
func (c *client) private(kind string, text []byte) {
	for _, m := range whose.FindAllSubmatch(text, -1) {
		if name := string(m[1]); name != c.name && name != "all" {
			c.town.judge.fault("%s: %s was given what is for %s: %q", kind, c.name, name, text)
		}
	}
}

// judge reads a reply to a message and looks whether it may have come.
func (c *client) judge(a *ask) outcome {
	if a.failure != nil {
		return c.failed(a)
	}
	c.private(a.kind, a.reply)
	decision := a.header.Get("X-Sark-Decision-Id")
	r, err := a.read()
	if err != nil {
		if a.status == http.StatusNotFound && len(a.reply) == 0 && a.headers["Mcp-Session-Id"] != "" {
			c.town.judge.noted(decision, "", heard{status: a.status, what: a.kind})
			return outcome{rule: "session"}
		}
		c.town.judge.fault("%s: status %d, %v: %q", a.kind, a.status, err, a.reply)
		return outcome{excuse: "a fault"}
	}
	if r.Error == nil {
		c.town.judge.noted(decision, "", heard{status: a.status, what: a.kind})
		return outcome{result: string(r.Result)}
	}
	rule := r.Error.Data.Rule
	c.town.judge.noted(decision, r.Error.Data.ExchangeID, heard{a.status, a.kind + " " + rule, rule == "audit_full"})
	if r.Error.Data.ExchangeID == "" || r.Error.Data.Reason == "" || rule == "" {
		c.town.judge.fault("%s: a refusal does not say why: %q", a.kind, a.reply)
	}
	if a.excused(rule) {
		return outcome{rule: rule, excuse: "of " + rule}
	}
	return outcome{rule: rule}
}

// read finds the response in a reply: the only message, or the last of an event stream.
func (a *ask) read() (response, error) {
	text := a.reply
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		text = nil
		for line := range bytes.Lines(a.reply) {
			if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
				text = data
			}
		}
	}
	var r response
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	if r.JSONRPC != "2.0" || string(r.ID) != strconv.Quote(a.call) || (r.Error == nil) == (r.Result == nil) {
		return r, errors.New("no response to this request")
	}
	if a.status >= 400 && r.Error == nil {
		return r, errors.New("a result with this status")
	}
	return r, nil
}

// excused reports whether something was not well, so that a request may have been refused by a rule of the failure table.
func (a *ask) excused(rule string) bool {
	lately := func(d time.Duration) time.Time { return a.began.Add(-d) }
	w := a.at.town
	switch rule {
	case "upstream", "filter", "answer":
		return a.origin != nil && a.origin.unwellSince(lately(time.Second))
	case "breaker_open":
		return a.origin != nil && a.origin.unwellSince(lately(20*time.Second))
	case "audit_full":
		return a.at.fullSince(lately(5*time.Second)) || w.databaseAway.since(lately(5*time.Second))
	case "session":
		return w.redisAway.since(lately(5 * time.Second))
	case "invalid_token", "unavailable":
		return w.keysAway.since(lately(15*time.Second)) || rule == "unavailable" && w.databaseAway.since(lately(5*time.Second))
	case "draining":
		return a.at.over()
	}
	return false
}

// failed judges a request without a whole reply: a gateway was ended, or a reply was cut that had begun.
func (c *client) failed(a *ask) outcome {
	switch {
	case a.at.over():
		return outcome{excuse: "the gateway ended"}
	case a.status == http.StatusOK && a.origin != nil && a.origin.unwellSince(a.began.Add(-time.Second)):
		return outcome{excuse: "the server cut its reply"}
	default:
		c.town.judge.fault("%s at replica %d: no reply after %s, status %d: %v", a.kind, a.at.n, time.Since(a.began), a.status, a.failure)
		return outcome{excuse: "a fault"}
	}
}

// wants faults an outcome that should have been an answer, and says whether it was one.
func (c *client) wants(a *ask, o outcome) bool {
	if o.excuse != "" {
		return false
	}
	if o.rule != "" {
		c.town.judge.fault("%s of %s at replica %d: refused by %s: %q", a.kind, c.name, a.at.n, o.rule, a.reply)
		return false
	}
	return true
}

// decided holds an answer against the policy in force. It says whether there is an answer.
func (c *client) decided(a *ask, o outcome, may func(version int) bool) bool {
	if o.excuse != "" {
		return false
	}
	granted := o.rule == ""
	if a.stable != 0 && granted != may(a.stable) {
		c.town.judge.fault("%s of %s at replica %d under policy %d: granted is %v: %q", a.kind, c.name, a.at.n, a.stable, granted, a.reply)
	}
	if !granted && !strings.HasPrefix(o.rule, "v") {
		c.town.judge.fault("%s of %s at replica %d: refused by %s: %q", a.kind, c.name, a.at.n, o.rule, a.reply)
	}
	if !granted && a.stable != 0 && strings.HasPrefix(o.rule, "v") && o.rule != fmt.Sprintf("v%d", a.stable) {
		c.town.judge.fault("%s of %s at replica %d was decided by %s under policy %d", a.kind, c.name, a.at.n, o.rule, a.stable)
	}
	return granted
}

// versioned holds the version of an answer against what was promised.
func (c *client) versioned(a *ask, name, text string) {
	m := versionMark.FindStringSubmatch(text)
	if m == nil {
		c.town.judge.fault("%s: no version in %q", a.kind, text)
		return
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		c.town.judge.fault("%s: %v", a.kind, err)
		return
	}
	c.town.judge.read(name, n, a.header.Get("X-Cache") == "HIT", a.began, a.at)
}

// callsTool calls a tool of the desk.
func (c *client) callsTool(ctx context.Context, tool string) {
	a, ok := c.newAsk("call " + tool)
	if !ok {
		return
	}
	c.send(ctx, a.modern(c.town, "tools/call", tool, a.toolCall(tool)))
	if ctx.Err() != nil {
		return
	}
	o := c.judge(a)
	if tool == meteredTool && o.rule == "rate_limit" {
		return
	}
	if c.decided(a, o, func(version int) bool { return c.may(tool, version) }) && !strings.Contains(o.result, "call="+a.call+";") {
		c.town.judge.fault("%s: the answer is not that of call %s: %s", a.kind, a.call, o.result)
	}
}

// listsTools lists the tools of the desk, or of the other one in a session.
func (c *client) listsTools(ctx context.Context, old bool) {
	a, ok := c.newAsk("list")
	if !ok {
		return
	}
	name := "desk"
	if old {
		session, ok := c.begins(ctx, a.at)
		if !ok {
			return
		}
		name, a.kind = "old", "list old"
		a.legacy(c.town, session, "tools/list", "")
	} else {
		a.modern(c.town, "tools/list", "", "")
	}
	c.send(ctx, a)
	if ctx.Err() != nil {
		return
	}
	o := c.judge(a)
	if c.sessionEnded(a, o) || !c.wants(a, o) {
		return
	}
	var list struct {
		Tools []struct {
			Name string `json:"name"`
		} `json:"tools"`
	}
	if err := json.Unmarshal([]byte(o.result), &list); err != nil {
		c.town.judge.fault("%s: %v: %s", a.kind, err, o.result)
		return
	}
	c.town.judge.shown(c.principal, a, list.Tools)
	c.versioned(a, name, o.result)
}

// shown holds a list against the policy: exactly what the caller may use is in it.
func (j *judge) shown(p principal, a *ask, tools []struct {
	Name string `json:"name"`
},
) {
	shown := map[string]bool{}
	for _, t := range tools {
		shown[t.Name] = true
	}
	for _, tool := range j.town.desk.tools {
		if a.stable == 0 && tool == swingTool {
			continue
		}
		if may := p.may(tool, a.stable); may != shown[tool] {
			j.fault("%s of %s at replica %d under policy %d: %s is shown: %v, may be used: %v", a.kind, p.name, a.at.n, a.stable, tool, !may, may)
		}
	}
}

// reads reads a resource of the desk.
func (c *client) reads(ctx context.Context, uri string) {
	a, ok := c.newAsk("read " + uri)
	if !ok {
		return
	}
	c.send(ctx, a.modern(c.town, "resources/read", uri, fmt.Sprintf(`"uri":%q`, uri)))
	if ctx.Err() != nil {
		return
	}
	o := c.judge(a)
	if !c.decided(a, o, func(version int) bool { return uri != swingNote || c.may(swingTool, version) }) {
		return
	}
	if uri == privateNote && !strings.Contains(o.result, "for="+c.name+";") {
		c.town.judge.fault("%s: %s was given %s", a.kind, c.name, o.result)
	}
	c.versioned(a, "desk", o.result)
}

// gets gets a plain page.
func (c *client) gets(ctx context.Context, path string) {
	a, ok := c.newAsk("get " + path)
	if !ok {
		return
	}
	a.verb, a.url, a.origin = http.MethodGet, "http://"+a.at.gateway.Proxy+path, c.town.desk
	c.send(ctx, a)
	if ctx.Err() != nil {
		return
	}
	if a.failure != nil {
		c.failed(a)
		return
	}
	c.private(a.kind, a.reply)
	if a.status != http.StatusOK {
		c.refused(a)
		return
	}
	c.town.judge.noted(a.header.Get("X-Sark-Decision-Id"), "", heard{status: a.status, what: a.kind})
	if path == "/plain/mine" && !strings.Contains(string(a.reply), "for="+c.name+";") {
		c.town.judge.fault("%s: %s was given %s", a.kind, c.name, a.reply)
	}
	c.versioned(a, "plain", string(a.reply))
}

// refused judges a refusal that is no JSON-RPC, and says what code it has.
func (c *client) refused(a *ask) {
	var r struct {
		Detail     any    `json:"detail"`
		Code       string `json:"code"`
		RequestID  string `json:"request_id"`
		DecisionID string `json:"decision_id"`
	}
	if err := json.Unmarshal(a.reply, &r); err != nil || r.RequestID == "" {
		c.town.judge.fault("%s: status %d: %q", a.kind, a.status, a.reply)
		return
	}
	c.town.judge.noted(r.DecisionID, r.RequestID, heard{a.status, a.kind, a.status == http.StatusServiceUnavailable})
	rules := map[int][]string{
		401: {"invalid_token"}, 502: {"upstream"}, 503: {"audit_full", "breaker_open", "unavailable"}, 504: {"upstream"},
	}[a.status]
	if !slices.ContainsFunc(rules, a.excused) {
		c.town.judge.fault("%s of %s at replica %d: status %d: %q", a.kind, c.name, a.at.n, a.status, a.reply)
	}
}

// begins returns a session of the client's with the other server, and begins one where it has none.
func (c *client) begins(ctx context.Context, at life) (string, bool) {
	if c.session != "" {
		return c.session, true
	}
	c.asked++
	a := &ask{kind: "initialize", call: fmt.Sprintf("%s-%d", c.id, c.asked), at: at, verb: http.MethodPost, headers: map[string]string{}}
	c.send(ctx, a.legacy(c.town, "", "initialize", `"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}`))
	if ctx.Err() != nil || !c.wants(a, c.judge(a)) {
		return "", false
	}
	c.session = a.header.Get("Mcp-Session-Id")
	c.town.sessions.offer(c.name, c.session)
	return c.session, c.session != ""
}

// sessionEnded notes that a session has ended: Redis may have lost it, and the gateway that knew it has gone.
func (c *client) sessionEnded(a *ask, o outcome) bool {
	if o.rule != "session" || a.status != http.StatusNotFound {
		return false
	}
	c.session = ""
	return true
}

// callsOld calls a tool in a session, whose answer is an event stream.
func (c *client) callsOld(ctx context.Context) {
	a, ok := c.newAsk("call old")
	if !ok {
		return
	}
	session, ok := c.begins(ctx, a.at)
	if !ok {
		return
	}
	c.send(ctx, a.legacy(c.town, session, "tools/call", a.toolCall(echoTool)))
	if ctx.Err() != nil {
		return
	}
	o := c.judge(a)
	if !c.sessionEnded(a, o) && c.wants(a, o) && !strings.Contains(o.result, "call="+a.call+";") {
		c.town.judge.fault("%s: the answer is not that of call %s: %s", a.kind, a.call, o.result)
	}
}

// steals calls in a session of somebody else's.
func (c *client) steals(ctx context.Context) {
	session, ok := c.town.sessions.foreign(c.name)
	if !ok {
		return
	}
	a, ok := c.newAsk("foreign session")
	if !ok {
		return
	}
	c.send(ctx, a.legacy(c.town, session, "tools/call", a.toolCall(echoTool)))
	if ctx.Err() != nil {
		return
	}
	if o := c.judge(a); o.rule == "" && o.excuse == "" {
		c.town.judge.fault("%s: %s was answered in it: %s", a.kind, c.name, o.result)
	}
}

// errs sends what must be refused.
func (c *client) errs(ctx context.Context) {
	a, ok := c.newAsk("wrong")
	if !ok {
		return
	}
	a.modern(c.town, "tools/call", echoTool, a.toolCall(echoTool))
	var want []string
	switch c.choose.IntN(4) {
	case 0:
		a.kind, want = "wrong key", []string{"invalid_key"}
		a.headers["X-API-Key"], a.headers["Authorization"] = "sark_root_0123456789abcdefghijklmnopqrstuvwxyz0123", ""
	case 1:
		a.kind, want = "huge body", []string{"body_size"}
		a.body = strings.Replace(a.body, `"arguments":{`, `"arguments":{"x":"`+strings.Repeat("x", 70<<10)+`",`, 1)
	case 2:
		a.kind, want = "broken body", []string{"parse"}
		a.body = a.body[:len(a.body)-2]
	case 3:
		a.kind, want = "duplicate key", []string{"parse"}
		a.body = strings.Replace(a.body, `"arguments":{`, `"arguments":{"call":"other",`, 1)
	}
	c.send(ctx, a)
	if ctx.Err() != nil || a.kind == "huge body" && a.failure != nil {
		return // who is still sending when the connection is closed may not read the refusal
	}
	if o := c.judge(a); o.excuse == "" && !slices.Contains(want, o.rule) {
		c.town.judge.fault("%s at replica %d: want %v, got status %d: %q", a.kind, a.at.n, want, a.status, a.reply)
	}
}

// departs leaves before the reply.
func (c *client) departs(ctx context.Context) {
	a, ok := c.newAsk("departure")
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.choose.IntN(5000))*time.Microsecond)
	defer cancel()
	c.send(ctx, a.modern(c.town, "tools/call", echoTool, a.toolCall(echoTool)))
	if a.failure == nil {
		c.judge(a)
	}
}
