package proxy_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// unseen are the rows of the failure table that a call of a client cannot meet, and why.
func unseen() map[string]string {
	return map[string]string{
		"path-unknown-plain": "the request is no message",
		"verb-denied":        "clients use no other verbs",
		"registry-away":      "it is about the management API",
		"streams-many":       "it refuses a stream, and clients of streams live without",
		"client-left":        "the client is gone",
		"destination-loop":   "the reply goes to the gateway itself",
	}
}

// TestClientMeetsFailures makes each row of the failure table happen to a call of the official client, in both eras: either
// the call itself goes to the gateway that fails, or, where it takes a request that no client makes, the client gets that
// gateway's reply to it. The client must understand what it is told, and its session must work on.
func TestClientMeetsFailures(t *testing.T) {
	tests := failures()
	for id, why := range unseen() {
		if _, ok := tests[id]; !ok || why == "" {
			t.Errorf("%q is no row, or has no reason to be unseen", id)
		}
		delete(tests, id)
	}
	for _, era := range []string{"modern", "legacy"} {
		t.Run(era, func(t *testing.T) {
			_, session, transport := connectClient(t, era)
			for _, id := range slices.Sorted(maps.Keys(tests)) {
				if tests[id].by != nil {
					continue // this system cannot make it happen
				}
				t.Run(id, func(t *testing.T) {
					if tests[id].empty { // the one reply that ends a session, see TestClientBeginsAnotherSession
						_, lost, transport := connectClient(t, era)
						err := tests[id].meet(t, lost, transport)
						if era == "legacy" && !errors.Is(err, mcp.ErrSessionMissing) {
							t.Errorf("error %v, want %v", err, mcp.ErrSessionMissing)
						}
						return
					}
					_ = tests[id].meet(t, session, transport)
					useSession(t, session)
				})
			}
		})
	}
}

// meet makes the failure happen to one call of a client, holds what the client is told against what was recorded, and returns
// the client's error.
func (f failure) meet(t *testing.T, session *mcp.ClientSession, transport *spoiler) error {
	t.Helper()
	g := newGateway(t, func(s *setup) {
		if f.setup != nil {
			f.setup(t, s)
		}
	})
	end := func() {}
	if f.begin != nil {
		end = f.begin(t, g)
	}
	status := 0
	answer := func(r *http.Request) (*http.Response, error) {
		resp, err := f.answer(t, g, transport, r)
		if err == nil {
			status = resp.StatusCode
		}
		return resp, err
	}
	transport.answer.Store(&answer)
	res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "hello"}})
	end()
	switch {
	case transport.answer.Load() != nil: //nolint:bodyclose // It looks at a function.
		t.Error("the call was not sent")
	case err == nil && !(f.result && res.IsError):
		t.Errorf("the client takes it for a success: %+v", res)
	case f.result, f.empty:
	case status == http.StatusTooManyRequests || status >= 500: // the client shows the status alone
		if !strings.Contains(err.Error(), http.StatusText(status)) {
			t.Errorf("error %q does not say %q", err, http.StatusText(status))
		}
	default:
		checkShown(t, err, g.Events())
	}
	return err
}

// answer sends the call of a client to the gateway that fails, or returns its reply to the request of the row, with the id
// that the client waits for.
func (f failure) answer(t *testing.T, g *gateway, transport *spoiler, r *http.Request) (*http.Response, error) {
	t.Helper()
	if f.send == nil && f.host == "" {
		r.URL.Host, r.Host = g.Addr, g.Addr
		return transport.base.RoundTrip(r)
	}
	var call struct{ ID json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		return nil, err
	}
	c := g.DialHost(t, f.host)
	if f.send != nil {
		f.send(c)
	} else {
		c.Post("/mcp", allowedCall, bearer("analyst"))
	}
	reply := c.ReadReply()
	resp := &http.Response{
		Status: http.StatusText(reply.Status), StatusCode: reply.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(strings.Replace(reply.Body, `"id":"call-1"`, `"id":`+string(call.ID), 1))),
	}
	for _, name := range []string{"Content-Type", "Www-Authenticate", "Retry-After", "X-Sark-Decision-Id"} {
		if reply.Header.Has(name) {
			resp.Header.Set(name, reply.Header.Value(name))
		}
	}
	return resp, reply.Err
}
