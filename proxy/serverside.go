package proxy

import (
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"sark/authz"
	"sark/internal/mcp"
)

// answerTimeout is how long a server may take to accept the refusal of its own request.
const answerTimeout = 5 * time.Second

// mayAsk decides a request that a server sends to the client on a stream (sampling, elicitation, roots). Notifications
// and answers of the server are not asked about. A denied request does not reach the client: the server gets a JSON-RPC
// error instead, as the client would send it.
func (h *Handler) mayAsk(x *Exchange, r *mcp.Reply, message []byte) bool {
	if r.Method == "" || r.ID == nil {
		return true
	}
	x.out.asked++
	d := authz.Decision{Rule: "batch", Reason: "a client cannot be asked before its batch is answered"}
	if x.part == nil {
		d = h.decideServer(x, message)
	}
	if d.Allow && !h.asked(x, r.ID) {
		d = authz.Decision{Rule: "unasked", Reason: "a request with this id is open already"}
	}
	if d.Allow {
		return true
	}
	x.out.refused++
	h.refuseServer(x, r.ID, &d)
	return false
}

// decideServer asks the policy in the name of the principal whose stream it is.
func (h *Handler) decideServer(x *Exchange, message []byte) authz.Decision {
	var call mcp.Call
	if err := mcp.Parse(&call, message, mcp.Header{}); err != nil {
		return authz.Decision{Reason: "the server's request cannot be read", Err: err}
	}
	in := x.aside()
	resource, denied := subject(&call)
	if denied != nil {
		return *denied
	}
	in.Call, in.Phase, in.Action = &call, authz.PhaseServer, mcp.ServerActionOf(call.Method)
	in.Tool, in.Resource = authz.Tool{}, resource
	d := h.o.Decider.Decide(x.context(), in)
	d.Allow = d.Allow || h.shadows(x)
	return d
}

// refuseServer answers the server's request in the client's place. It fails silently towards the client: the server will
// give up waiting.
func (h *Handler) refuseServer(x *Exchange, id []byte, d *authz.Decision) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	s, from := x.target.server, &x.ctx.Request.Header
	req.Header.SetMethod(fasthttp.MethodPost)
	to := x.address // of the HTTP+SSE transport
	setDefault(&to, x.target.uri)
	req.SetRequestURI(to)
	req.Header.SetHost(s.hostHeader)
	req.Header.SetContentType("application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for _, name := range [...]string{sessionHeader, "Mcp-Protocol-Version", "Authorization", "X-Sark-Principal"} {
		if v := from.Peek(name); len(v) > 0 { // what prepare left of the client's
			req.Header.SetBytesV(name, v)
		}
	}
	reason := d.Reason
	setDefault(&reason, "denied by policy")
	req.SetBodyRaw(mcp.AppendError(nil, id, fasthttp.StatusForbidden, reason+" (decision "+d.ID.String()+")", nil))
	err := s.upstream.transport.roundTrip(s.upstream.calls, req, resp, until(time.Now().Add(answerTimeout)))
	if err == nil {
		err = resp.CloseBodyStream()
	}
	if err != nil {
		h.o.Log.Warn("refuse a server's request", zap.Stringer("exchange_id", x.ID), zap.Error(err))
	}
}

// until is a watcher that waits no longer than a moment.
type until time.Time

func (u until) look(now time.Time) error {
	if now.Before(time.Time(u)) {
		return nil
	}
	return fasthttp.ErrTimeout
}
