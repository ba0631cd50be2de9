package crash_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// pace is how long a client rests between two things that it asks, on average.
const pace = 25 * time.Millisecond

// traffic is everybody who asks, until it is ended.
type traffic struct {
	stop    context.CancelFunc
	running sync.WaitGroup
}

// begin lets everybody ask.
func (w *town) begin(seed uint64) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	f := &traffic{stop: cancel}
	for i, p := range principals() {
		for n := range 2 {
			c := newClient(w, p, n, rand.New(rand.NewPCG(seed, uint64(100+10*i+n))))
			f.running.Go(func() { c.run(ctx) })
		}
	}
	for n, r := range w.replicas {
		for i, old := range []bool{false, true} {
			c := newClient(w, principals()[n], 10+i, rand.New(rand.NewPCG(seed, uint64(200+10*n+i))))
			f.running.Go(func() { c.listens(ctx, r, old) })
		}
	}
	return f
}

func (f *traffic) end() {
	f.stop()
	f.running.Wait()
}

// run asks one thing after the other.
func (c *client) run(ctx context.Context) {
	defer c.http.CloseIdleConnections()
	things := []func(){
		func() { c.callsTool(ctx, echoTool) },
		func() { c.callsTool(ctx, echoTool) },
		func() { c.callsTool(ctx, writeTool) },
		func() { c.callsTool(ctx, swingTool) },
		func() { c.callsTool(ctx, rootTool) },
		func() { c.callsTool(ctx, meteredTool) },
		func() { c.listsTools(ctx, false) },
		func() { c.listsTools(ctx, false) },
		func() { c.listsTools(ctx, true) },
		func() { c.reads(ctx, privateNote) },
		func() { c.reads(ctx, publicNote) },
		func() { c.reads(ctx, swingNote) },
		func() { c.gets(ctx, "/plain/mine") },
		func() { c.gets(ctx, "/plain/all") },
		func() { c.callsOld(ctx) },
		func() { c.steals(ctx) },
		func() { c.errs(ctx) },
		func() { c.departs(ctx) },
		func() { c.asksAPI(ctx) },
	}
	for ctx.Err() == nil {
		things[c.choose.IntN(len(things))]()
		wait(ctx, time.Duration(c.choose.Int64N(int64(2*pace))))
	}
}

// listens keeps a stream open at one gateway: what it hears of changes must hold there from then on.
func (c *client) listens(ctx context.Context, r *replica, old bool) {
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		if l, ok := r.now(); ok {
			c.listen(ctx, l, old)
		}
		wait(ctx, 100*time.Millisecond)
	}
}

// listen reads one stream to its end.
func (c *client) listen(ctx context.Context, at life, old bool) {
	c.asked++
	a := &ask{kind: "listen", call: fmt.Sprintf("%s-%d", c.id, c.asked), at: at, verb: http.MethodPost, headers: map[string]string{}}
	name := "desk"
	if old {
		session, ok := c.begins(ctx, at)
		if !ok {
			return
		}
		a.legacy(c.town, session, "", "")
		a.kind, a.verb, a.body, name = "stream", http.MethodGet, "", "old"
		a.headers["Accept"] = "text/event-stream"
	} else {
		a.modern(c.town, "subscriptions/listen", "", `"notifications":{"toolsListChanged":true}`)
	}
	a.began = time.Now()
	r, err := c.request(ctx, a)
	if err != nil {
		c.town.judge.fault("%s: %v", a.kind, err)
		return
	}
	res, err := c.http.Do(r)
	if err != nil {
		if a.failure = err; ctx.Err() == nil {
			c.failed(a)
		}
		return
	}
	defer res.Body.Close() //nolint:errcheck // only read from
	a.status, a.header = res.StatusCode, res.Header
	c.town.judge.count(a.kind, a.status)
	if a.status != http.StatusOK {
		c.notOpened(a)
		return
	}
	c.town.judge.noted(a.header.Get("X-Sark-Decision-Id"), "", heard{status: a.status, what: a.kind})
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			c.hears(a, name, data)
		}
	}
	if ctx.Err() == nil && !at.over() && !a.origin.unwellSince(a.began.Add(-time.Second)) {
		c.town.judge.fault("%s at replica %d ended after %s for no reason", a.kind, at.n, time.Since(a.began))
	}
}

// notOpened judges a stream that was refused.
func (c *client) notOpened(a *ask) {
	excused := false
	for _, rule := range map[int][]string{401: {"invalid_token"}, 502: {"upstream"}, 503: {"audit_full", "breaker_open", "session", "unavailable"}, 504: {"upstream"}}[a.status] {
		excused = excused || a.excused(rule)
	}
	if a.status == http.StatusNotFound && a.headers["Mcp-Session-Id"] != "" {
		c.session, excused = "", true
	}
	if !excused {
		c.town.judge.fault("%s at replica %d: status %d", a.kind, a.at.n, a.status)
	}
}

// hears takes one event of a stream.
func (c *client) hears(a *ask, name, data string) {
	var m struct {
		Method string `json:"method"`
		Params struct {
			Version int64 `json:"version"`
		} `json:"params"`
	}
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		c.town.judge.fault("%s: %v: %q", a.kind, err, data)
		return
	}
	c.private(a.kind, []byte(data))
	if m.Method == "notifications/tools/list_changed" {
		c.town.judge.raise(name, floor{version: m.Params.Version, since: time.Now(), told: a.at, by: streamed})
	}
}

// asksAPI lists the registered servers, or reads one, which only root may.
func (c *client) asksAPI(ctx context.Context) {
	a, ok := c.newAsk("API list")
	if !ok {
		return
	}
	a.verb, a.url = http.MethodGet, "http://"+a.at.gateway.API+"/api/v1/servers/"
	id := c.town.registered()
	if one := c.choose.IntN(2) == 0 && id != ""; one {
		a.kind, a.url = "API server", a.url+id
	}
	c.send(ctx, a)
	if ctx.Err() != nil {
		return
	}
	if a.failure != nil {
		c.failed(a)
		return
	}
	switch {
	case a.status == http.StatusForbidden && !c.is("admin"):
		c.town.judge.noted(a.header.Get("X-Sark-Decision-Id"), "", heard{status: a.status, what: a.kind})
	case a.status == http.StatusServiceUnavailable && c.town.databaseAway.since(a.began.Add(-5*time.Second)):
		c.town.judge.noted(a.header.Get("X-Sark-Decision-Id"), "", heard{a.status, a.kind, true})
	case a.status != http.StatusOK:
		c.refused(a)
	case !c.is("admin") && a.kind == "API server":
		c.town.judge.fault("%s: %s was given %q", a.kind, c.name, a.reply)
	default:
		c.town.judge.noted(a.header.Get("X-Sark-Decision-Id"), "", heard{status: a.status, what: a.kind})
		if a.kind == "API server" {
			c.versioned(a, "registry", string(a.reply))
		}
	}
}
