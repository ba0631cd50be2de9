package api

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"sark/authz"
	"sark/internal/admin"
	"sark/internal/authn"
	"sark/internal/endpoint"
	"sark/internal/mcp"
	"sark/store"
)

// Registry keeps the registered servers. Its errors are asked with errors.Is: store.ErrNotFound, store.ErrNameTaken,
// store.ErrConflict, store.ErrBadCursor; any other means that it cannot answer now. Writes of several servers are one: a
// store.ItemError names the server for which none was written.
type Registry interface {
	CreateServers(ctx context.Context, servers ...*store.Server) error
	// UpdateServers writes servers without their tools, if they are at the revision that was read. SetTools writes them too.
	UpdateServers(ctx context.Context, servers ...*store.Server) error
	SetTools(ctx context.Context, s *store.Server) error
	// BareServer returns a server without its tools.
	BareServer(ctx context.Context, id string) (store.Server, error)
	Server(ctx context.Context, id string) (store.Server, error)
	Servers(ctx context.Context, f store.ServerFilter) (store.ServerPage, error)
}

// EventReader reads the audit trail, newest first. A cursor that it did not give is store.ErrBadCursor.
type EventReader interface {
	Events(ctx context.Context, f store.EventFilter) (store.EventPage, error)
	// Forwarded returns how far the events of some writers are forwarded to receivers outside.
	Forwarded(ctx context.Context, writers []uuid.UUID) (store.Forwarded, error)
}

// Discoverer asks an MCP server for its tools, in bounded time. The tools have no level yet. An error that says more than
// "unreachable" to whoever registered the address is a *DiscoveryError.
type Discoverer interface {
	Discover(ctx context.Context, transport, endpoint string) ([]store.Tool, error)
}

// RollupReader counts the events of the audit trail by hour or day, oldest first.
type RollupReader interface {
	Rollups(ctx context.Context, f store.RollupFilter) (store.RollupPage, error)
}

// Decider asks the policy. It always has an answer; trouble is a deny.
type Decider interface {
	Decide(ctx context.Context, in *authz.Input) authz.Decision
}

// Catalogue knows the servers and tools of the configuration. ok is false when no server has this name. The tool is
// described with the server's level and Known false when the configuration says nothing about it.
type Catalogue interface {
	Describe(server, tool string) (s authz.Server, t authz.Tool, ok bool)
	// Tools returns the tools that are described; ok is false when no server has this name.
	Tools(server string) (tools []authz.Tool, ok bool)
}

// InputReader finds what recorded decisions were made on.
type InputReader interface {
	DecisionInput(ctx context.Context, decision uuid.UUID) (store.DecisionInput, bool, error)
}

// Health knows how the process is (see admin.Health).
type Health interface {
	Probe(ctx context.Context, name string) admin.Probe
	Report(ctx context.Context) (admin.Report, error)
}

// Options are the collaborators of the API.
type Options struct {
	// Registry, Audit, Rollups, Decider and Health are required.
	Registry Registry
	Audit    EventReader
	Rollups  RollupReader
	Decider  Decider
	Health   Health
	// Integrity knows the keys and the head of the audit trail; nil when it is not signed.
	Integrity Integrity
	// Cache is the response cache; nil when it is off.
	Cache Cache
	// Policies knows the loaded bundles; nil when they are not listed.
	Policies Policies
	// Inputs knows the recorded inputs of decisions; nil when none is explained.
	Inputs InputReader
	// Catalogue knows the configured servers; nil when there are none.
	Catalogue Catalogue
	// Discoverer asks servers for their tools; nil turns discovery off.
	Discoverer Discoverer
	// Networks returns where registered servers may be; nil is anywhere but at special addresses (endpoint.NewNetworks).
	Networks func() *endpoint.Networks
	// Suggest returns the sensitivity that the words of a tool suggest, and those words. Nil suggests nothing.
	Suggest func(name, description string, schema []byte) (level string, words []string)
	// Lag is how far the audit trail in the store is behind what this gateway has recorded; nil is not at all.
	Lag func() time.Duration
	// Changed is called after a server was stored and before the reply, so that caches forget what they held about it.
	// Nil when nothing is cached.
	Changed func(serverID string)
	// Version and Environment appear in /health/detailed.
	Version, Environment string
	// MaxBodyBytes bounds request bodies. 0 means 1 MiB.
	MaxBodyBytes int
	// Log receives the causes of errors. Nil discards.
	Log *zap.Logger
	// Now is the clock, for tests. Nil means time.Now.
	Now func() time.Time
}

// API answers the management API. All methods may be called from any goroutine.
type API struct {
	o          Options
	validating chan struct{} // holds one while a policy is validated or explained; whoever finds it full is refused
}

// New checks the options and returns the API.
func New(o Options) (*API, error) {
	if o.Registry == nil || o.Audit == nil || o.Rollups == nil || o.Decider == nil || o.Health == nil {
		return nil, errors.New("management API: registry, audit, rollups, decider and health are required")
	}
	if o.MaxBodyBytes < 0 {
		return nil, errors.New("management API: the body limit must not be negative")
	}
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = 1 << 20
	}
	if o.Networks == nil {
		o.Networks = func() *endpoint.Networks { return endpoint.NewNetworks(nil) }
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &API{o: o, validating: make(chan struct{}, 1)}, nil
}

// request is one request as handlers see it. Its bytes die when Serve returns.
type request struct {
	caller authn.Caller
	call   *mcp.Call
	in     *fasthttp.Request
	out    *fasthttp.Response

	// details is what the audit event of a write tells beyond its columns: a JSON object, or nil.
	details []byte
}

// handler answers a request or returns why not: a *Problem for the client, any other error for the log.
type handler func(a *API, ctx context.Context, r *request) error

// Serve answers a call that Route made. The caller has authenticated and authorised it, except on routes that are Public.
// Serve sets call.Name to the new id when it created a server, so that the audit event names it, and returns what else that
// event should tell: a JSON object, or nil.
func (a *API) Serve(
	ctx context.Context, caller authn.Caller, call *mcp.Call, req *fasthttp.Request, resp *fasthttp.Response,
) (details []byte) {
	row := rowOf(call.Route)
	if row == nil {
		panic("BUG: the management API has no route " + call.Route)
	}
	r := &request{caller: caller, call: call, in: req, out: resp}
	if err := row.serve(a, ctx, r); err != nil {
		a.refuse(r, err)
	}
	return r.details
}

// refuse answers with the problem in err, or with a bare 500 whose cause only the log tells.
func (a *API) refuse(r *request, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = &Problem{Status: fasthttp.StatusInternalServerError, Code: "internal_error", Detail: "Internal error", cause: err}
	}
	if p.cause != nil {
		a.o.Log.Error("management call failed", zap.String("route", r.call.Route),
			zap.Stringer("exchange_id", r.caller.ExchangeID), zap.Error(p.cause))
	}
	p.Write(r.out, r.caller.ExchangeID, r.caller.DecisionID)
}
