package proxy

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

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

// Refuse answers a request that the HTTP server could not read: bad framing, oversize, too slow. It records the refusal like any
// other.
func (h *Handler) Refuse(ctx *fasthttp.RequestCtx, err error) {
	x := h.begin(ctx)
	defer h.guard(x)
	if x.problem = h.crowded(x, err); x.problem == nil {
		x.problem = unreadable(err)
	}
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

// InProgress is how many requests are being served, streams included.
func (h *Handler) InProgress() int { return int(h.inflight.Load()) }
