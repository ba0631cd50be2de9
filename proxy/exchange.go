package proxy

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// Exchange is what is known about one request. Steps write their own fields and no earlier ones:
//
//	begin         ID, Start, Client
//	accept        target, path
//	authenticate  Principal
//	parse         Call, tool
//	decide        Decision
//	lookup        cache, entry
//	limit         limits
//	reserve       ticket
//	forward       upstreamTime, local, left
//	respond       what was counted on the way out
//	finish        event
//
// It is pooled: nothing keeps a pointer to it after finish.
type Exchange struct {
	h   *Handler
	ctx *fasthttp.RequestCtx

	// ID identifies the exchange: a UUID of version 7 made from Start.
	ID uuid.UUID
	// Start is when the request was accepted.
	Start time.Time
	// Client is the client's address: the peer's, or what a trusted proxy says (see behind).
	Client  netip.Addr
	trusted bool   // the peer is a trusted proxy
	via     string // the proxies between the client and us, when the peer is trusted

	target *target // nil when the path is unknown
	path   string  // raw target without the query

	// Principal is who asks; nil before authenticate and when the credential was refused.
	Principal *authn.Principal
	// Call is what is asked.
	Call mcp.Call
	tool authz.Tool

	// Decision is what policy said; its ID is zero before decide.
	Decision authz.Decision

	verdict string // of a policy that is not enforced

	cache cacheState

	limits limitState

	ticket audit.Ticket
	opened bool // an open event was recorded

	upstreamTime time.Duration
	local        bool  // answered by the local handler
	left         error // why the upstream's answer was not waited for

	address  string // path and query where a message of the HTTP+SSE transport goes, else ""
	admitted bool   // by the gate
	counted  bool   // as a lasting stream

	charge *charge // for the bytes that are held; nil while these are few
	claim  *claim  // for the body while it arrived; nil when it is short

	problem *Problem
	part    *part // of a batch; nil for a request of its own

	out      counters
	recorded bool
	event    audit.Event
	text     []byte       // copies of request bytes that must outlive changes to the request's headers
	input    authz.Input  // of the decision
	item     *authz.Input // see aside
	scratch  []byte       // for values on their way into a header, the trail or a reply

	attributes []byte // the caller's, as the trail has them
	sift       sift
}

// counters are what happened to a reply on its way out.
type counters struct {
	status  int
	rpcCode int
	failed  bool // a JSON-RPC error or a tool error
	bytes   int64
	items   int // in lists
	hidden  int // of them removed
	dropped int // frames that could not be understood
	frames  int
	input   bool   // the server asked the client for input
	asked   int    // requests of the server to the client
	refused int    // of them denied
	told    []byte // what the local handler tells the trail: a JSON object, or nil
}

// begin starts an exchange: the only step that cannot refuse.
func (h *Handler) begin(ctx *fasthttp.RequestCtx) *Exchange {
	x := h.pool.Get().(*Exchange)
	*x = Exchange{h: h, ctx: ctx, Start: h.o.Now(), text: x.text[:0], scratch: x.scratch, attributes: x.attributes, item: x.item, sift: x.sift}
	x.ID = audit.NewID(x.Start)
	if a, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		x.Client = a.AddrPort().Addr().Unmap()
	}
	x.behind()
	x.claim = h.arrivals.begun(&ctx.Request.Header)
	h.inflight.Add(1)
	return x
}

// maxScratch is how much room for values a pooled exchange keeps.
const maxScratch = 64 << 10

// end gives the exchange back. Nothing may use it afterwards.
func (h *Handler) end(x *Exchange) {
	h.inflight.Add(-1)
	x.arrived()
	if x.admitted {
		h.gate.leave(h.o.MaxConcurrent)
	}
	if x.counted {
		h.streams.give(x.owner(), 1)
	}
	if cap(x.scratch) > maxScratch {
		x.scratch = nil
	}
	x.ctx = nil
	h.pool.Put(x)
}

// keep copies b into memory that lives as long as the exchange and returns it as text.
func (x *Exchange) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	from := len(x.text)
	if cap(x.text)-from < len(b) { // older texts keep their own memory
		x.text, from = make([]byte, 0, max(256, 2*len(b))), 0
	}
	x.text = append(x.text, b...)
	return mcp.Text(x.text[from:len(x.text):len(x.text)])
}

// aside returns a copy of the decision's input, to ask about one item of a list or a message of the server. It is the same
// memory each time, which an exchange without such questions does not hold.
func (x *Exchange) aside() *authz.Input {
	if x.item == nil {
		x.item = new(authz.Input)
	}
	*x.item = x.input
	return x.item
}

// isRPC reports whether the caller expects JSON-RPC replies.
func (x *Exchange) isRPC() bool {
	return x.target != nil && x.target.kind == kindMCP && x.ctx.IsPost()
}

// refuse ends the line with a problem, whatever the reply looked like so far. It returns false so that steps can return
// it.
func (x *Exchange) refuse(p *Problem) bool {
	x.problem = p
	x.ctx.Response.Reset() // closes an upstream's body, and its headers must not stand over ours
	return false
}

// context is for calls that bound themselves: fasthttp's own is no context (valyala/fasthttp#965).
func (x *Exchange) context() context.Context { return context.Background() }
