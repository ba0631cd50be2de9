package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"sark/internal/testkit"
)

// reply is an answer that was read whole.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// decode reads the body as JSON.
func (r reply) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.Body), into); err != nil {
		t.Fatalf("%d %q is no JSON: %v", r.Status, r.Body, err)
	}
}

// caller sends requests to one listener with one credential, each on a connection of its own.
type caller struct {
	base, key string
	http      *http.Client
}

// over calls a listener at host:port with a key in X-Api-Key, or without a credential when the key is empty.
func over(address, key string) caller {
	return caller{"http://" + address, key, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// overSocket calls the listener on a unix socket.
func overSocket(path string) caller {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return caller{"http://localhost", "", &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}}
}

// try sends a request and returns an error when the connection breaks before the reply is whole.
func (c caller) try(ctx context.Context, method, path, body string, headers ...string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
	}
	if c.key != "" {
		r.Header.Set("X-Api-Key", c.key)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close() //nolint:errcheck // only read from
	text, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(bytes.TrimSpace(text))}, err
}

// do is try for requests that must be answered.
func (c caller) do(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	r, err := c.try(ctx, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (c caller) get(t *testing.T, path string) reply {
	t.Helper()
	return c.do(t, http.MethodGet, path, "")
}

func (c caller) post(t *testing.T, path, body string) reply {
	t.Helper()
	return c.do(t, http.MethodPost, path, body)
}

// toolCall is a request of the era before 2026-07-28, which a server without sessions answers on its own.
func toolCall(tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, tool)
}
