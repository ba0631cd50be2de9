package proxy_test

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
	"testing"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// sampling is a server's request that the policies here deny.
const sampling = `{"jsonrpc":"2.0","id":"ask","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // to memory
	_ = w.Close()
	return b.String()
}

// TestRequestsInDisguise: a server's request reaches no client undecided, whatever the reply that carries it is called, and in
// whatever spelling some client reads it.
func TestRequestsInDisguise(t *testing.T) {
	t.Parallel()
	event := "data: " + sampling + "\n\n"
	long := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("x", 100_000) + `"}]},"method":"sampling/createMessage"}`
	for name, tt := range map[string]struct{ contentType, encoding, body string }{
		"the answer":            {"application/json", "", sampling},
		"one among answers":     {"application/json", "", `[{"jsonrpc":"2.0","id":1,"result":{}},` + sampling + `]`},
		"after a mark":          {"application/json", "", "\ufeff" + sampling},
		"in another case":       {"application/json", "", strings.Replace(sampling, "method", "mEthod", 1)},
		"with an escape":        {"application/json", "", strings.Replace(sampling, "method", `m\u0065thod`, 1)},
		"beside a result":       {"application/json", "", `{"jsonrpc":"2.0","id":1,"result":{},"method":"sampling/createMessage"}`},
		"behind a long result":  {"application/json", "", long},
		"two types, JSON first": {"application/json, text/event-stream", "", event},
		"type as a parameter":   {`application/json; also="text/event-stream"`, "", event},
		"type in capitals":      {"Text/Event-Stream", "", event},
		"no type":               {"", "", sampling},
		"compressed events":     {"text/event-stream", "gzip", compressed(event)},
		"compressed JSON":       {"application/json", "gzip", compressed(sampling)},
		"in a comment":          {"text/event-stream", "", ":\u2028data: " + sampling + "\n\n"},
		"behind a form feed":    {"text/event-stream", "", "id: 1\x0cdata: " + sampling + "\n\n"},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(name+", chunked "+strconv.FormatBool(chunked), func(t *testing.T) {
				t.Parallel()
				g := newGateway(t, func(s *setup) { s.Decider = deciderFunc(noSampling) })
				g.Upstream.On("response", func(x *testkit.Exchange, _ testkit.Message) { x.Reply(202, "") })
				g.Upstream.On("tools/call echo", func(x *testkit.Exchange, _ testkit.Message) {
					lines := []string{"Content-Length: " + strconv.Itoa(len(tt.body))}
					if chunked {
						lines[0] = "Transfer-Encoding: chunked"
					}
					if tt.contentType != "" {
						lines = append(lines, "Content-Type: "+tt.contentType)
					}
					if tt.encoding != "" {
						lines = append(lines, "Content-Encoding: "+tt.encoding)
					}
					x.WriteHead(200, lines...)
					x.Write([]byte(tt.body))
				})
				c := g.Dial(t)
				c.Post("/mcp", toolCall, bearer("admin"), "Accept: application/json, text/event-stream", "Connection: close")
				if got := c.AwaitClosed(); strings.Contains(got, "createMessage") || strings.Contains(got, "Content-Encoding") {
					t.Errorf("the client got %d bytes: %.300q", len(got), got)
				}
				if e := g.AwaitEvents(t, 1)[0]; e.Outcome == audit.OutcomeAllowed && e.Details == nil {
					t.Errorf("the trail knows nothing of it: %+v", e)
				}
			})
		}
	}
}

// TestListsInDisguise: a list is shown to nobody unfiltered.
func TestListsInDisguise(t *testing.T) {
	t.Parallel()
	list := `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"wipe"},{"name":"echo"}]}}`
	event := "data: " + list + "\n\n"
	for name, tt := range map[string]struct{ contentType, encoding, body string }{
		"compressed events":       {"text/event-stream", "gzip", compressed(event)},
		"events called JSON":      {"application/json, text/event-stream", "", event},
		"JSON called events":      {"text/event-stream; or=application/json", "", list},
		"JSON called events only": {"text/event-stream", "", list + "\n\n"},
		"in a comment":            {"text/event-stream", "", ":\u2028data: " + list + "\n\n"},
		"in a name":               {"text/event-stream", "", "x\u0085data: " + list + "\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(s *setup) { s.Decider = hiding("wipe") })
			g.Upstream.On("tools/list", func(x *testkit.Exchange, _ testkit.Message) {
				lines := []string{"Transfer-Encoding: chunked", "Content-Type: " + tt.contentType}
				if tt.encoding != "" {
					lines = append(lines, "Content-Encoding: "+tt.encoding)
				}
				x.WriteHead(200, lines...)
				x.Write([]byte(tt.body))
			})
			c := g.Dial(t)
			c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin"))
			r := c.ReadReply()
			if strings.Contains(r.Body, "wipe") || r.Header.Has("Content-Encoding") {
				t.Errorf("status %d: %.300q", r.Status, r.Body)
			}
			g.AwaitEvents(t, 1)
		})
	}
}

// TestInputInDisguise: a request for input in a result of the stateless era is decided in whatever case its keys are written.
func TestInputInDisguise(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]string{
		"as is":          `{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{}}}}`,
		"capitals":       `{"resultType":"input_required","InputRequests":{"a":{"method":"sampling/createMessage","params":{}}}}`,
		"all bigger":     `{"RESULTTYPE":"input\u005frequired","INPUTREQUESTS":{"a":{"method":"sampling/createMessage","params":{}}}}`,
		"capitals alone": `{"INPUTREQUESTS":{"a":{"method":"sampling/createMessage","params":{}}}}`,
		"in it":          `{"resultType":"input_required","inputRequests":{"a":{"Method":"sampling/createMessage","params":{}}}}`,
	} {
		for _, framed := range []bool{false, true} {
			t.Run(name+", framed "+strconv.FormatBool(framed), func(t *testing.T) {
				t.Parallel()
				g := newGateway(t, func(s *setup) { s.Decider = deciderFunc(noSampling) })
				g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
					if framed {
						x.Stream()
						x.Event(m.Answer(result))
						return
					}
					x.JSON(200, m.Answer(result))
				})
				c := g.Dial(t)
				postModern(c, "admin", "1", "tools/call", `"name":"echo","arguments":{"text":"hello"}`, "Mcp-Name: echo")
				if r := c.ReadReply(); strings.Contains(r.Body, "sampling/createMessage") {
					t.Errorf("status %d: %.300q", r.Status, r.Body)
				}
				g.AwaitEvents(t, 1)
			})
		}
	}
}

// TestStreamInDisguise: clients read the reply to a GET as an event stream, whatever it is called.
func TestStreamInDisguise(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"application/json", "text/plain", "application/x-event-stream"} {
		g := newGateway(t, func(s *setup) { s.Decider = deciderFunc(noSampling) })
		g.Upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) {
			x.Reply(200, "data: "+sampling+"\n\n", "Content-Type: "+contentType)
		})
		c := g.Dial(t)
		c.Send("GET", "/mcp", "", bearer("admin"), "Accept: text/event-stream")
		if r := c.ReadReply(); r.Status != 502 || strings.Contains(r.Body, "createMessage") {
			t.Errorf("%s: status %d: %q", contentType, r.Status, r.Body)
		}
		g.AwaitEvents(t, 1)
	}
}
