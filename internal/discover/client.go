package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/endpoint"
)

// Options bound a discovery.
type Options struct {
	// Timeout is how long one discovery may take; 0 is 5 s.
	Timeout time.Duration
	// MaxBytes is how many bytes all replies together may have; 0 is 4 MiB.
	MaxBytes int64
	// MaxTools is how many tools a server may have; 0 is 1,000.
	MaxTools int
	// Networks returns where servers may be; nil is anywhere but at special addresses (endpoint.NewNetworks).
	Networks func() *endpoint.Networks
	// Version is what the client says of itself.
	Version string
}

// Tool is what a server says of a tool.
type Tool struct {
	Name, Description string
	Schema            []byte // the JSON Schema of its arguments
}

// Client asks servers for their tools. It holds no connection between two questions, and is for any number of goroutines.
type Client struct {
	o Options
}

// New checks the options and returns a client.
func New(o Options) (*Client, error) {
	if o.Timeout < 0 || o.MaxBytes < 0 || o.MaxTools < 0 {
		return nil, errors.New("discovery: the bounds must not be negative")
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 4 << 20
	}
	if o.MaxTools == 0 {
		o.MaxTools = 1000
	}
	if o.Networks == nil {
		o.Networks = func() *endpoint.Networks { return endpoint.NewNetworks(nil) }
	}
	return &Client{o: o}, nil
}

// Tools asks the server at an endpoint for all of its tools. transport is "http" or "sse". Why it failed says Reason.
func (c *Client) Tools(ctx context.Context, transport, at string) ([]Tool, error) {
	networks := c.o.Networks()
	if err := networks.Check(at); err != nil {
		return nil, fmt.Errorf("discover tools: %w: the endpoint %w", errRefused, err)
	}
	u, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("discover tools: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	g := newGuard(u, c.o.MaxBytes, networks)
	defer g.close()
	tools, err := c.ask(ctx, transport, at, &http.Client{Transport: g, CheckRedirect: stay})
	if err != nil {
		// The SDK tells what went wrong in its own words; why the guard refused is the reason behind them.
		return nil, fmt.Errorf("discover tools: %w", errors.Join(err, g.cause(), ctx.Err()))
	}
	return tools, nil
}

// stay follows no redirect.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c *Client) ask(ctx context.Context, transport, at string, client *http.Client) (tools []Tool, err error) {
	var t mcp.Transport = &mcp.StreamableClientTransport{Endpoint: at, HTTPClient: client, MaxRetries: -1, DisableStandaloneSSE: true}
	if transport == "sse" {
		t = &mcp.SSEClientTransport{Endpoint: at, HTTPClient: client}
	}
	// No capabilities: there is nobody to ask.
	o := &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "sark", Version: c.o.Version}, o).Connect(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = session.Close() }() // what it says of the end does not change what was found
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if len(tools) == c.o.MaxTools {
			return nil, fmt.Errorf("%w: more than %d tools", errTooLarge, c.o.MaxTools)
		}
		schema, err := json.Marshal(tool.InputSchema)
		if err != nil {
			return nil, fmt.Errorf("schema of tool %q: %w", tool.Name, err)
		}
		tools = append(tools, Tool{Name: tool.Name, Description: tool.Description, Schema: schema})
	}
	return tools, nil
}

// The reasons of a failed discovery. They tell whoever registered the address no more than that.
const (
	ReasonUnreachable = "unreachable"
	ReasonTimeout     = "timeout"
	ReasonRefused     = "refused_address"
	ReasonTooLarge    = "too_large"
	ReasonNotMCP      = "not_mcp"
)

// Reason says in one word why a discovery failed.
func Reason(err error) string {
	var network *net.OpError
	switch {
	case errors.Is(err, errRefused), errors.Is(err, endpoint.ErrRefused):
		return ReasonRefused
	case errors.Is(err, errTooLarge):
		return ReasonTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.As(err, &network):
		return ReasonUnreachable
	}
	return ReasonNotMCP
}
