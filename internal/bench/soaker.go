package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// kind is one sort of request of a soak, and the statuses that it may have.
type kind struct {
	name   string
	verb   string
	body   string
	change func(*http.Request) // nil: nothing
	leave  bool                // after the first bytes of the reply
	cut    bool                // the reply may end early
	want   []int
}

func kinds() []kind {
	call := func(tool, arguments string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{` + arguments + `}}}`
	}
	long := call("echo", `"text":"`+strings.Repeat("x", 64<<10)+`"`)
	return []kind{
		{name: "call", body: call("echo", ""), want: []int{200}},
		{name: "call answered by events", body: call(toolStream, ""), want: []int{200}},
		{name: "large call", body: long, want: []int{200}},
		{name: "large reply", body: call(toolLarge, ""), want: []int{200}},
		{name: "list", body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, want: []int{200}},
		{name: "denied call", body: call(toolForbidden, ""), want: []int{403}},
		{name: "broken message", body: call("echo", `"a":1,"a":2`), want: []int{400}},
		{name: "no credential", body: call("echo", ""), change: func(r *http.Request) { r.Header.Del("Authorization") }, want: []int{401}},
		{name: "unknown path", body: call("echo", ""), change: func(r *http.Request) { r.URL.Path = "/other" }, want: []int{404}},
		{name: "failing server", body: call(toolFail, ""), want: []int{500}},
		{name: "cut reply", body: call(toolCut, ""), cut: true, want: []int{200}},
		{name: "client that leaves", verb: http.MethodGet, leave: true, want: []int{200}},
		{name: "new connection", body: call("echo", ""), change: func(r *http.Request) { r.Close = true }, want: []int{200}},
	}
}

// soaker is one client of a soak, owned by one goroutine until run returns.
type soaker struct {
	bed             *testBed
	client          *http.Client
	next            int // kind
	requests, wrong map[string]int
}

func newSoaker(t *testBed, i int) *soaker {
	return &soaker{
		bed: t, client: &http.Client{Transport: &http.Transport{}}, next: i,
		requests: map[string]int{}, wrong: map[string]int{},
	}
}

// run sends one request each pause until ctx ends.
func (s *soaker) run(ctx context.Context, pause time.Duration) error {
	defer s.client.CloseIdleConnections()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	all := kinds()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		k := all[s.next%len(all)]
		s.next++
		got, err := s.send(ctx, k)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the time is up
		}
		s.requests[k.name]++
		if err != nil {
			s.wrong[fmt.Sprintf("%s: %v", k.name, errors.Unwrap(err))]++
		} else if !slices.Contains(k.want, got) {
			s.wrong[fmt.Sprintf("%s: status %d", k.name, got)]++
		}
	}
}

// send sends one request and returns the status of the reply.
func (s *soaker) send(ctx context.Context, k kind) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	verb := k.verb
	if verb == "" {
		verb = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, verb, "http://"+s.bed.gateway.Proxy+"/mcp", strings.NewReader(k.body))
	if err != nil {
		return 0, fmt.Errorf("make a request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+s.bed.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if k.change != nil {
		k.change(r)
	}
	reply, err := s.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	if k.leave {
		_, err = io.ReadFull(reply.Body, make([]byte, 10))
	} else {
		_, err = io.Copy(io.Discard, reply.Body)
	}
	if err != nil && !k.cut {
		return 0, fmt.Errorf("read the reply: %w", err)
	}
	return reply.StatusCode, nil
}
