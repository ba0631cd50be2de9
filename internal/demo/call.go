package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

// errCall is a call that the gateway or the tool refused; its text was printed.
var errCall = errors.New("the call was refused")

func newCallCommand(out io.Writer) *cobra.Command {
	var url, key string
	c := &cobra.Command{
		Use:   "call TOOL [ARGUMENTS]",
		Short: "Call a tool through the gateway, as an MCP client would",
		Long: `call connects with the official MCP client, calls one tool with a JSON object of arguments, and prints what comes
back. It exits with 1 when the gateway or the tool refuses.`,
		Example:       `  sark-demo call --url http://127.0.0.1:8080/mcp --key sark_analyst_... search_tickets '{"query":"lamp"}'`,
		Args:          cobra.RangeArgs(1, 2),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, args []string) error {
			arguments := map[string]any{}
			if len(args) == 2 {
				if err := json.Unmarshal([]byte(args[1]), &arguments); err != nil || arguments == nil {
					return errors.New(`the arguments must be a JSON object, for example '{"query":"lamp"}'`)
				}
			}
			return call(c.Context(), out, url, key, &mcp.CallToolParams{Name: args[0], Arguments: arguments})
		},
	}
	c.Flags().StringVar(&url, "url", "", "the gateway's MCP endpoint")
	c.Flags().StringVar(&key, "key", "", "an API key")
	_ = c.MarkFlagRequired("url") // the flag exists: defined above
	return c
}

func call(ctx context.Context, out io.Writer, url, key string, params *mcp.CallToolParams) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := mcp.NewClient(&mcp.Implementation{Name: "sark-demo", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: bearer{key, transport}}, DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", url, err)
	}
	defer func() { _ = session.Close() }() // the result has been printed
	result, err := session.CallTool(ctx, params)
	if err != nil {
		_, _ = fmt.Fprintln(out, "refused:", reason(err))
		return errCall
	}
	for _, c := range result.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			_, _ = fmt.Fprintln(out, text.Text)
		}
	}
	if result.IsError {
		return errCall
	}
	return nil
}

// bearer sends an API key with every request.
type bearer struct {
	key  string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.key != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.key)
	}
	return b.next.RoundTrip(r)
}

// reason is what the JSON-RPC error says that a call was answered with, without what the client library says around it.
func reason(err error) string {
	var answer *jsonrpc.Error
	if errors.As(err, &answer) {
		return answer.Message
	}
	return err.Error()
}
