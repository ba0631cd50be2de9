package demo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/demo"
)

// eras are the ways the example is served, with the revision that the official
// client settles on for each.
var eras = []struct {
	name    string
	options demo.Options
	version string
}{
	{"modern", demo.Options{}, "2026-07-28"},
	{"legacy", demo.Options{Stateful: true}, "2025-11-25"},
}

// inEveryEra runs the test once per era against a server of its own.
func inEveryEra(t *testing.T, test func(t *testing.T, o demo.Options)) {
	t.Helper()
	for _, era := range eras {
		t.Run(era.name, func(t *testing.T) { test(t, era.options) })
	}
}

// connect starts an example server on a real socket and connects the official
// client to it. Everything is closed when the test ends.
func connect(t *testing.T, o demo.Options, client *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	server, err := demo.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Errorf("close the example server: %v", err)
		}
		web.Close()
	})
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, client).Connect(
		t.Context(), &mcp.StreamableClientTransport{
			Endpoint:   web.URL + "/mcp",
			HTTPClient: &http.Client{Transport: transport},
		}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("close the client session: %v", err)
		}
	})
	return session
}

// call calls the tool and returns the result's text and whether it is an error.
func call(ctx context.Context, t *testing.T, s *mcp.ClientSession, params *mcp.CallToolParams) (string, bool) {
	t.Helper()
	res, err := s.CallTool(ctx, params)
	if err != nil {
		t.Fatalf("call %s: %v", params.Name, err)
	}
	if len(res.Content) != 1 {
		t.Fatalf("call %s: %d contents, want 1", params.Name, len(res.Content))
	}
	content, ok := res.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("call %s: content is %T, want text", params.Name, res.Content[0])
	}
	return content.Text, res.IsError
}
