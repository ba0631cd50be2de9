package proxy

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/internal/mcp"
)

// respond gives the caller its reply and records the exchange. A reply that is in memory is filtered and its event is
// recorded before it is written; anything else is pulled by the server after the handler returned, and recorded at its
// end.
func (h *Handler) respond(x *Exchange) {
	h.reconcile(x)
	switch {
	case x.problem != nil:
	case x.fromCache():
		h.replay(x)
		h.filter(x)
		h.frame(x)
	case x.streamed() && !h.readWhole(x):
		h.attach(x)
		return
	default:
		h.read(x)
		h.filter(x)
	}
	h.weigh(x)
	if x.problem != nil {
		h.writeProblem(x)
	}
	resp := &x.ctx.Response
	x.mark()
	x.out.status, x.out.bytes = resp.StatusCode(), int64(len(resp.Body()))
	h.finish(x, x.outcome())
}

// mark sets the headers that every reply of a decided request carries.
func (x *Exchange) mark() {
	x.allowOrigin()
	hd := &x.ctx.Response.Header
	if x.Decision.ID != uuid.Nil {
		x.scratch = appendUUID(x.scratch[:0], x.Decision.ID)
		hd.SetCanonical([]byte(headerDecisionID), x.scratch)
	}
	if x.limits.n > 0 {
		x.limitHeaders()
	}
	if !x.fromCache() {
		x.cacheHeaders(0)
	}
}

// outcome is how an exchange ended whose reply is in memory.
func (x *Exchange) outcome() audit.Outcome {
	if x.problem != nil {
		return x.problem.outcome()
	}
	return audit.OutcomeAllowed
}

// streamed reports whether the reply's body is still to be read from the upstream.
func (x *Exchange) streamed() bool { return x.ctx.Response.IsBodyStream() }

// readWhole reports whether a reply must be in memory before its first byte goes out, because its end decides what the
// caller may see of its beginning, and reads it. An event stream is filtered frame by frame instead.
func (h *Handler) readWhole(x *Exchange) bool {
	resp := &x.ctx.Response
	masked := x.resultMask() != nil
	if x.target.kind != kindMCP || eventStream(resp.Header.ContentType()) {
		return false
	}
	if !masked && (!x.mayFilter() && !x.mayWant() && !x.Call.Task || x.longLived()) {
		return false
	}
	body, err := x.readAll(resp.BodyStream(), resp.Header.ContentLength(), h.o.MaxBuffered)
	switch {
	case errors.Is(err, errHeld):
		x.refuse(h.overheld())
	case err != nil:
		x.refuse(upstreamProblem(fmt.Errorf("read answer: %w", err)))
	case len(body) > h.o.MaxBuffered && masked:
		x.refuse(&Problem{Status: 502, Rule: "redact", Reason: "the server's reply is too large to redact", Outcome: audit.OutcomeUpstreamFailed})
	case len(body) > h.o.MaxBuffered:
		x.refuse(&Problem{Status: 502, Rule: "filter", Reason: x.tooLarge(), Outcome: audit.OutcomeUpstreamFailed})
	default:
		resp.SetBodyRaw(body)
	}
	return true
}

// read takes from a reply in memory what the trail and the cache want to know.
func (h *Handler) read(x *Exchange) {
	if x.problem != nil {
		return
	}
	resp := &x.ctx.Response
	if x.local {
		x.out.failed = resp.StatusCode() >= 400
		h.storePlain(x, h.o.Now())
		return
	}
	body := resp.Body()
	if x.answers() && mcp.Asks(body) {
		x.refuse(upstreamProblem(errAsks))
		return
	}
	if x.target.kind != kindMCP || x.Call.Kind != mcp.Request || len(body) == 0 {
		x.out.failed = resp.StatusCode() >= 400
		return
	}
	if !x.telling(body) {
		x.out.failed = resp.StatusCode() >= 400
		return
	}
	r, err := mcp.ParseReply(body)
	if err == nil {
		h.note(x, &r)
		if p := h.objects(x, &r); p != nil {
			x.refuse(p)
			return
		}
	} else if x.mayWant() && wanting(body) && resp.StatusCode() < 400 {
		x.refuse(unreadableAnswer(err))
		return
	}
	x.out.failed = x.out.failed || resp.StatusCode() >= 400
}

// telling reports whether an answer in memory may hold what the trail, the cache, the policy or the table of tasks wants
// to know.
func (x *Exchange) telling(body []byte) bool {
	return x.cache.status == cacheMiss || bytes.Contains(body, []byte(`"error"`)) || bytes.Contains(body, []byte(`"isError"`)) ||
		x.mayWant() && wanting(body) || x.h.o.Sessions != nil && bytes.Contains(body, []byte(`"taskId"`))
}

// objects returns what stands against passing an answer on: a request for input that is denied, or a task that is somebody
// else's. nil is nothing.
func (h *Handler) objects(x *Exchange, r *mcp.Reply) *Problem {
	if p := h.mayInput(x, r); p != nil {
		return p
	}
	return h.created(x, r)
}

// answers reports whether the body of a reply that is no event stream must not hold a request of the server: clients of MCP
// take a message for what it is, wherever it stands, and only those on event streams are decided.
func (x *Exchange) answers() bool {
	return x.target.kind == kindMCP && x.ctx.IsPost() && x.ctx.Response.StatusCode() < 400
}

func unreadableAnswer(err error) *Problem {
	return &Problem{Status: 502, Rule: "input", Reason: "the server's answer cannot be read", Outcome: audit.OutcomeUpstreamFailed, Cause: err}
}

func (x *Exchange) tooLarge() string {
	if x.mayFilter() {
		return "the server's list is too large to filter"
	}
	return "the server's answer is too large to be read"
}

// note remembers what a reply says, and offers its result to the cache.
func (h *Handler) note(x *Exchange, r *mcp.Reply) {
	if r.Method != "" && r.ID == nil {
		h.heard(x, r.Method)
	}
	if r.Code != 0 {
		x.out.rpcCode = r.Code
	}
	x.out.failed = x.out.failed || r.Code != 0 || r.ToolError
	x.out.input = x.out.input || r.InputRequired
	if r.Result != nil && !r.InputRequired && bytes.Equal(r.ID, x.Call.ID) {
		h.storable(x, r, h.o.Now())
	}
}
