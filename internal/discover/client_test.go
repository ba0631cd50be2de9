package discover_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/discover"
	"sark/internal/endpoint"
)

// server is a real MCP server with n tools, in pages of three.
func server(n int) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ServerOptions{PageSize: 3})
	for i := range n {
		mcp.AddTool(s, &mcp.Tool{Name: fmt.Sprintf("tool_%02d", i), Description: "does things"},
			func(_ context.Context, _ *mcp.CallToolRequest, _ struct {
				Query string `json:"query"`
			},
			) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
	}
	return s
}

func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return web.URL
}

// client returns one that may dial the servers of the tests.
func client(t *testing.T, o discover.Options) *discover.Client {
	t.Helper()
	if o.Networks == nil {
		o.Networks = func() *endpoint.Networks {
			return endpoint.NewNetworks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
		}
	}
	c, err := discover.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTools(t *testing.T) {
	s := server(7)
	one := func(*http.Request) *mcp.Server { return s }
	for name, c := range map[string]struct {
		transport string
		handler   http.Handler
	}{
		"modern": {"http", mcp.NewStreamableHTTPHandler(one, &mcp.StreamableHTTPOptions{Stateless: true})},
		"legacy": {"http", mcp.NewStreamableHTTPHandler(one, nil)},
		"sse":    {"sse", mcp.NewSSEHandler(one, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			tools, err := client(t, discover.Options{}).Tools(t.Context(), c.transport, listen(t, c.handler)+"/mcp")
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range tools {
				names = append(names, tool.Name)
			}
			slices.Sort(names)
			want := []string{"tool_00", "tool_01", "tool_02", "tool_03", "tool_04", "tool_05", "tool_06"}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("tools (-want +got):\n%s", diff)
			}
			if tool := tools[0]; tool.Description != "does things" || !strings.Contains(string(tool.Schema), `"query"`) {
				t.Errorf("tool %q with schema %s", tool.Description, tool.Schema)
			}
		})
	}
}

func TestToolsAreBounded(t *testing.T) {
	s := server(7)
	real := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else net/http does not notice that the client left
		<-r.Context().Done()
	})
	moved := listen(t, http.RedirectHandler(listen(t, real), http.StatusTemporaryRedirect))
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "event: endpoint\ndata: http://127.0.0.2:1/message\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // else the client may see the end of the stream first
	})
	nowhere := func() *endpoint.Networks { return endpoint.NewNetworks(nil) }
	closed := httptest.NewServer(real)
	closed.Close()
	for name, c := range map[string]struct {
		options       discover.Options
		transport, at string
		want          string
	}{
		"too many tools": {discover.Options{MaxTools: 6}, "http", listen(t, real), discover.ReasonTooLarge},
		"too many bytes": {discover.Options{MaxBytes: 900}, "http", listen(t, real), discover.ReasonTooLarge},
		"silent":         {discover.Options{Timeout: 50 * time.Millisecond}, "http", listen(t, hang), discover.ReasonTimeout},
		"silent stream":  {discover.Options{Timeout: 50 * time.Millisecond}, "sse", listen(t, hang), discover.ReasonTimeout},
		"redirect":       {discover.Options{}, "http", moved, discover.ReasonNotMCP},
		"no MCP":         {discover.Options{}, "http", listen(t, http.NotFoundHandler()), discover.ReasonNotMCP},
		"closed":         {discover.Options{}, "http", closed.URL, discover.ReasonUnreachable},
		"another host":   {discover.Options{}, "sse", listen(t, elsewhere), discover.ReasonRefused},
		"not allowed":    {discover.Options{Networks: nowhere}, "http", listen(t, real), discover.ReasonRefused},
		"name":           {discover.Options{Networks: nowhere}, "http", strings.Replace(listen(t, real), "127.0.0.1", "localhost", 1), discover.ReasonRefused},
		"metadata":       {discover.Options{}, "http", "http://169.254.169.254/mcp", discover.ReasonRefused},
	} {
		t.Run(name, func(t *testing.T) {
			tools, err := client(t, c.options).Tools(t.Context(), c.transport, c.at)
			if err == nil || discover.Reason(err) != c.want || tools != nil {
				t.Errorf("%d tools, error %v, want the reason %s", len(tools), err, c.want)
			}
		})
	}
}

func TestNewRefusesNegativeBounds(t *testing.T) {
	if _, err := discover.New(discover.Options{Timeout: -1}); err == nil {
		t.Error("no error")
	}
}
