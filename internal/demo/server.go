package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// DefaultTTL is how long clients and caches may keep a list or a resource of
// the example server when [Options.TTL] is zero.
const DefaultTTL = 30 * time.Second

// Options says how the example server is served. The zero value is usable.
type Options struct {
	// Stateful serves sessions (Mcp-Session-Id, GET and DELETE, requests from
	// the server to the client) as MCP revisions up to 2025-11-25 define them,
	// and refuses 2026-07-28. Without it every request stands alone, and both
	// eras are answered.
	Stateful bool

	// TTL goes out as ttlMs with every cacheable result (MCP 2026-07-28,
	// server/utilities/caching). Zero means DefaultTTL; negative is refused.
	TTL time.Duration

	// Logger receives the SDK's own messages. Nil discards them.
	Logger *slog.Logger
}

// Server is the example MCP server as an [http.Handler]. It answers on every
// path. Close ends the sessions that clients left open.
type Server struct {
	mcp     *mcp.Server
	handler http.Handler
}

// NewServer builds an example server with its own copy of the data, so that
// two servers never share state. The only error is a bad Options value.
func NewServer(o Options) (*Server, error) {
	if o.TTL < 0 {
		return nil, fmt.Errorf("example server: ttl %s is negative", o.TTL)
	}
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	s := mcp.NewServer(&mcp.Implementation{
		Name:    "helpdesk",
		Title:   "Example helpdesk",
		Version: "1.0.0",
	}, &mcp.ServerOptions{
		Instructions: "A small company's helpdesk: tickets, customers, orders and refunds.",
		Logger:       o.Logger,
		SetCacheable: cacheable(o.TTL),
	})
	d := newDesk()
	if err := d.addTools(s); err != nil {
		return nil, fmt.Errorf("example server: %w", err)
	}
	d.addResources(s)
	d.addPrompts(s)
	h := mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return s },
		&mcp.StreamableHTTPOptions{
			Stateless:                    !o.Stateful,
			Logger:                       o.Logger,
			PropagateRequestCancellation: true,
		},
	)
	return &Server{mcp: s, handler: h}, nil
}

// ServeHTTP answers one MCP request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.ServeHTTP(w, r)
}

// Close ends every open session with its streams and goroutines. The shutdown
// of an HTTP server waits for open streams, so call Close before it, or let it
// be called by [http.Server.RegisterOnShutdown].
func (s *Server) Close() error {
	var errs []error
	for ss := range s.mcp.Sessions() {
		if err := ss.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close session %s: %w", ss.ID(), err))
		}
	}
	return errors.Join(errs...)
}

// cacheable marks every cacheable result with the TTL. Lists and the company's
// rules are the same for everyone, a ticket is not.
func cacheable(ttl time.Duration) func(context.Context, mcp.Request, *mcp.Cacheable) {
	return func(_ context.Context, req mcp.Request, c *mcp.Cacheable) {
		c.TTLMs = int(ttl.Milliseconds())
		c.CacheScope = "public"
		if read, ok := req.(*mcp.ReadResourceRequest); ok && strings.HasPrefix(read.Params.URI, ticketPrefix) {
			c.CacheScope = "private"
		}
	}
}
