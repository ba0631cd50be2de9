package proxy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"sark/authz"
	"sark/cachemw"
	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// Authenticator turns a credential into a principal. The error is an *authn.Error.
type Authenticator interface {
	Authenticate(ctx context.Context, c authn.Credentials) (*authn.Principal, error)
}

// Decider answers what policy says. There is no error: a failure is a deny with a reason.
type Decider interface {
	Decide(ctx context.Context, in *authz.Input) authz.Decision
}

// Recorder takes room in the audit spool. Its error means that there is none: nothing may be forwarded.
type Recorder interface {
	Reserve(intent *audit.Event) (audit.Ticket, error)
	// Refused records an exchange that was refused before it had a ticket. There is room for that when Reserve has none.
	Refused(e *audit.Event)
}

// FailureLimiter spends from a bucket; ok is false when it is empty, and retry says when it will not be.
type FailureLimiter interface {
	Allow(key string, now time.Time) (ok bool, retry time.Duration)
}

// Local serves requests in this process instead of an upstream: the management API.
type Local interface {
	// Route names what a request asks for. status is 0, or 404 or 405 for a request that it does not serve.
	Route(method, path string, body []byte) (call mcp.Call, status int)
	// Allow is the Allow header of a 405 for path.
	Allow(path string) string
	// Public reports whether a route is served to callers without a credential and without a decision.
	Public(route string) bool
	// Describe tells policies what a call is about. An error means that it cannot be known now, so nothing can be decided.
	Describe(ctx context.Context, who *authn.Principal, call *mcp.Call) (authz.Resource, error)
	// Serve answers a call that was allowed, or whose route is public. It returns what the audit event tells of it beyond its
	// columns, a JSON object or nil.
	Serve(ctx context.Context, caller authn.Caller, call *mcp.Call, req *fasthttp.Request, resp *fasthttp.Response) (details []byte)
}

// Handler serves requests. It is safe for concurrent use. Its options and routes never change: Reload puts another
// generation in its place, and an exchange ends on the one that it began on.
type Handler struct {
	*shared
	o      Options
	routes routes
	hosts  hostPolicy
	trust  trustedProxies
	eras   eras
	cors   cors
}

// New returns a handler for the given options, or an error that names what is wrong with them.
func New(o Options) (*Handler, error) {
	h, err := newGeneration(o, nil)
	if err != nil {
		return nil, err
	}
	if h.shared, err = newShared(h.o.Registerer); err != nil {
		return nil, err
	}
	h.live.Store(h)
	return h, nil
}

// Serve is the way of every request. Each step writes its own fields of the exchange; a step that refuses sets the
// problem and ends the line. The last two steps are the same for all.
func (h *Handler) Serve(ctx *fasthttp.RequestCtx) { h.run(h.begin(ctx)) }

// run takes an exchange along the line. The messages of a batch come here one by one, as exchanges of their own.
func (h *Handler) run(x *Exchange) {
	defer h.guard(x)
	switch {
	case !h.accept(x):
	case !h.authenticate(x):
	case x.batched():
		if h.unbundle(x) {
			return
		}
	case !h.parse(x):
	case !h.owned(x):
	case !h.decide(x):
	case h.lookup(x): // answered from cache, if that can be recorded
		h.reserve(x)
	case !h.limit(x):
	case !h.reserve(x):
	default:
		h.forward(x)
	}
	h.respond(x)
}

// Refuse answers a request that the HTTP server could not read: bad framing, oversize, too slow. It is the server's error
// handler, and records the refusal like any other. A connection that ended before the first byte of a request is no
// request: probes of load balancers leave no event.
func (h *Handler) Refuse(ctx *fasthttp.RequestCtx, err error) {
	if silent(ctx, err) {
		ctx.SetStatusCode(fasthttp.StatusRequestTimeout)
		return
	}
	x := h.begin(ctx)
	defer h.guard(x)
	x.problem = unreadable(err)
	if x.problem.Unread = len(ctx.Request.Header.RawHeaders()) == 0; !x.problem.Unread {
		h.locate(x)
	}
	h.respond(x)
}

// guard keeps a panic inside its request: the caller gets a 500 and the event says so. fasthttp would end the process
// (valyala/fasthttp#475).
func (h *Handler) guard(x *Exchange) {
	cause := recover()
	if cause == nil {
		return
	}
	h.o.Log.Error("panic while serving a request",
		zap.Stringer("exchange_id", x.ID), zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
	h.metrics.panics.Inc()
	h.land(x, cachemw.Entry{}, false)
	if x.recorded {
		return
	}
	x.ctx.Response.Reset()
	x.problem = &Problem{Status: 500, Rule: "internal", Reason: "internal error", Cause: fmt.Errorf("panic: %v", cause)}
	h.respond(x)
}

// The phases of Handler.phase.
const (
	serving    int32 = iota
	leaving          // replies tell their clients to connect anew
	draining         // streams that would never end by themselves end
	abandoning       // whatever still waits for an upstream ends
)

// Leave goes on serving, and ends each connection with the reply to its next request, so that its client opens another,
// where a load balancer that knows better sends it: a connection that waits for a request when the listener closes may
// have one on its way, which would be lost.
func (h *Handler) Leave() { h.enter(leaving) }

// Drain ends the streams that would never end by themselves, the GET streams and subscriptions, and lets calls go on. It
// does not wait: the server's shutdown waits for their connections.
func (h *Handler) Drain() { h.enter(draining) }

// abandon ends every exchange that waits for an upstream, so that it leaves its event.
func (h *Handler) abandon() { h.enter(abandoning) }

// enter begins a phase, unless a later one has begun.
func (h *Handler) enter(phase int32) {
	for now := h.phase.Load(); now < phase && !h.phase.CompareAndSwap(now, phase); {
		now = h.phase.Load()
	}
}

// InProgress is how many requests are being served, streams included.
func (h *Handler) InProgress() int { return int(h.inflight.Load()) }

// Options are what a Handler is made of. Authenticator, Decider and Recorder are required.
type Options struct {
	Authenticator Authenticator
	Decider       Decider
	Recorder      Recorder
	// Cache keeps replies; nil turns caching off.
	Cache Cache
	// CacheRules are the lifetimes of the management API's routes.
	CacheRules cachemw.Rules
	// CacheKeys sends X-Cache-Key, which tells callers what others have asked: for development.
	CacheKeys bool
	// PartitionByPrincipal shares private entries between credentials of one principal (cache.partition: principal).
	PartitionByPrincipal bool
	// Limiter is asked once for each request that is to be forwarded and has a limit; nil forbids limits, those of
	// policies included.
	Limiter Limiter
	// Rates are the limits of all servers.
	Rates Rates
	// AuthFailures is asked for each refused credential, by address; nil allows all.
	AuthFailures FailureLimiter
	// Sessions binds legacy sessions, tasks and the open requests of servers to whose they are; nil binds none, and serves
	// no server of the HTTP+SSE transport.
	Sessions Sessions
	// Local serves the management API; nil when this handler serves MCP servers only.
	Local Local
	// Redirect serves connections that packet rules divert on their way to a server: the destination that a client dialled
	// chooses the server, and the path is the server's own. Only Linux can tell it. Reload cannot change it.
	Redirect bool
	// Servers are the MCP servers to stand in front of; more may come with Reload.
	Servers []ServerOptions
	// OnHealth is told when a server goes down or comes up again, by the goroutine of Probe; nil tells nobody.
	OnHealth func(ServerHealth)
	// AllowedHosts and AllowedOrigins extend what the Host and Origin headers may say (see hostPolicy).
	AllowedHosts, AllowedOrigins []string
	// CORSOrigins are the origins whose scripts may use the gateway from a browser; empty switches that off.
	CORSOrigins []string
	// TrustedProxies are the networks (CIDR) whose X-Forwarded-For is believed; "unix:" stands for peers on a unix socket.
	TrustedProxies []string
	// Eras are the families of protocol revisions that are served, "legacy" and "modern"; empty serves both.
	Eras []string
	// AllowBatch takes JSON-RPC batches of revision 2025-03-26 apart; without it they are refused. BatchAnyVersion accepts
	// them in every revision of the legacy family.
	AllowBatch, BatchAnyVersion bool
	// MaxBatch is the most messages in a batch; default 100.
	MaxBatch int
	// MaxBody is the largest accepted body in bytes; default 4 MiB.
	MaxBody int
	// MaxConcurrent is how many requests are served at once, streams included; default 10,000.
	MaxConcurrent int
	// MaxBuffered is the largest reply in bytes that is read as a whole to be filtered; default 16 MiB.
	MaxBuffered int
	// MaxStreams is how many streams that never end by themselves one principal may have open; default 100.
	MaxStreams int
	// MaxStreamAge is when such a stream is ended, so that its client opens another; default 24 h.
	MaxStreamAge time.Duration
	// Heartbeat is how often a silent event stream gets a comment; default 15 s.
	Heartbeat time.Duration
	// WriteTimeout is how long one write to a client may take; default 30 s.
	WriteTimeout time.Duration
	// Intent says which exchanges record an intent before the first upstream byte: "effects" (default), "all", "none".
	Intent string
	// OpenAfter is how long an exchange may be open before it leaves an open event; default 10 s.
	OpenAfter time.Duration
	// HideUnknown answers a call of a tool that the caller may not see as an unknown tool.
	HideUnknown bool
	// Shadow lets every request of an MCP server pass, and records what the policy would have made of it.
	Shadow bool
	// DenyAsToolError answers a denied tools/call with a tool result that has isError set.
	DenyAsToolError bool
	// HashArguments returns the digest that the audit trail keeps of a call's arguments; nil records none.
	HashArguments func(arguments []byte) string
	// RecordArguments returns the redacted arguments to record; nil records none.
	RecordArguments func(arguments []byte) []byte
	// Resources are the identifiers of this gateway as an OAuth resource that tokens may be for, the default first, and
	// AuthorizationServers are who issues such tokens (RFC 9728); both are empty when tokens are not accepted.
	Resources, AuthorizationServers []string
	// Scopes are what clients are told to ask a token for, in the metadata and in the challenge of a 401; nil says nothing.
	Scopes []string
	// PublicURL is the address under which clients reach the gateway, without a path of an endpoint; "" when that is not
	// known, and challenges name the Host header of the request.
	PublicURL string
	// RecordInput keeps the question and the answer of each decision about a request for replay; nil keeps none.
	RecordInput func(in *authz.Input, d *authz.Decision)
	// PolicyHeaders are the request headers that policies may see, in lower case.
	PolicyHeaders []string
	// Environment is the deployment's name in audit events.
	Environment string
	Log         *zap.Logger
	Registerer  prometheus.Registerer
	// Now replaces the clock in tests.
	Now func() time.Time
}

func (o *Options) defaults() {
	setDefault(&o.MaxBody, 4<<20)
	setDefault(&o.MaxConcurrent, 10_000)
	setDefault(&o.MaxBuffered, 16<<20)
	setDefault(&o.MaxBatch, 100)
	setDefault(&o.MaxStreams, 100)
	setDefault(&o.MaxStreamAge, 24*time.Hour)
	setDefault(&o.Heartbeat, 15*time.Second)
	setDefault(&o.WriteTimeout, 30*time.Second)
	setDefault(&o.OpenAfter, 10*time.Second)
	setDefault(&o.Intent, "effects")
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o *Options) validate() error {
	switch {
	case o.Authenticator == nil:
		return errors.New("proxy: Options.Authenticator is required")
	case o.Decider == nil:
		return errors.New("proxy: Options.Decider is required")
	case o.Recorder == nil:
		return errors.New("proxy: Options.Recorder is required")
	}
	return nil
}
