package proxy

import (
	"bytes"
	"errors"
	"io"

	"github.com/valyala/fasthttp"

	"sark/internal/mcp"
)

// batchRevision is the only revision that knows batches (MCP 2025-03-26, "Batching"), and the one that a request without
// MCP-Protocol-Version is taken for.
const batchRevision = "2025-03-26"

var errBatchLarge = errors.New("the answers to a batch exceed the limit")

// part is what is remembered of one message of a batch after its exchange has ended.
type part struct {
	full    bool   // there is no room for its answer: it is refused
	id      []byte // nil for a notification, and when it could not be read
	answers bool   // it expects an answer
}

// batched reports whether a request is a JSON-RPC batch that is to be taken apart. Where batches are not accepted, and
// within a batch, parse refuses it.
func (x *Exchange) batched() bool {
	return x.h.o.AllowBatch && x.part == nil && x.isRPC() && mcp.IsBatch(x.ctx.Request.Body())
}

// unbundle sends each message of a batch along the line by itself: it is an exchange of its own, with its own decision, its
// own event and its own request to the server, which never sees a batch. The answers come together in an array, in order.
// It returns false when the batch as a whole is refused.
func (h *Handler) unbundle(x *Exchange) bool {
	version := mcp.Text(x.ctx.Request.Header.Peek("Mcp-Protocol-Version"))
	if mcp.ModernVersion(version) || version != "" && version != batchRevision && !h.o.BatchAnyVersion {
		return x.refuse(notBatch("batches are accepted in revision " + batchRevision + " only"))
	}
	x.arrived()
	if !x.hold(x.bodyIn()) {
		return x.refuse(h.overheld())
	}
	messages, err := mcp.Split(x.ctx.Request.Body(), h.o.MaxBatch)
	switch {
	case errors.Is(err, mcp.ErrBatchSize):
		return x.refuse(notBatch("a batch must hold one message at least, and no more than are allowed"))
	case err != nil:
		return x.refuse(&Problem{Status: 400, Code: mcp.CodeParse, Rule: "parse", Reason: err.Error()})
	}
	var answers []byte
	var refusal *fasthttp.Response // of the last message that was refused without an answer
	full := false                  // there is no room for another answer: the messages that are left are refused, each with its event
	for _, m := range messages {
		p, resp := h.element(x, m, full)
		next := appendAnswer(answers, p, resp)
		if len(next) == len(answers) && resp.StatusCode() >= 400 {
			refusal = resp
		}
		answers = next
		full = full || len(answers) > h.o.MaxBuffered || !x.hold(x.bodyIn()+cap(answers))
	}
	x.collect(answers, refusal)
	h.end(x) // its messages left their events
	return true
}

// unanswerable is the problem of a message of a batch whose answers so far are as many as may be held.
func unanswerable() *Problem {
	return &Problem{Status: 503, Rule: "batch_full", Reason: "the answers before it leave no room for another"}
}

func notBatch(reason string) *Problem {
	return &Problem{Status: 400, Code: mcp.CodeInvalidRequest, Rule: "batch", Reason: reason}
}

// element makes an exchange of one message and returns what became of it, with the reply in memory. Its context is new:
// the headers are copied, since each is made ready for the server anew.
func (h *Handler) element(x *Exchange, message []byte, full bool) (part, *fasthttp.Response) {
	p := part{full: full}
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(x.ctx.Conn(), x.ctx.Logger(), true)
	x.ctx.Request.Header.CopyTo(&ctx.Request.Header)
	ctx.Request.SetBodyRaw(message)
	defer ctx.ResetUserValues() // the server does not know this context
	y := h.begin(ctx)
	y.part = &p
	h.run(y)
	resp := &ctx.Response
	if !resp.IsBodyStream() {
		return p, resp
	}
	body, err := io.ReadAll(resp.BodyStream()) // bounded by bodyStream.read
	if err == nil {
		err = resp.CloseBodyStream()
	}
	if err != nil {
		resp.Reset()
		resp.SetStatusCode(fasthttp.StatusBadGateway)
		return p, resp
	}
	resp.SetBodyRaw(body)
	return p, resp
}

// appendAnswer appends the answer to one message to those before it: what the server said, or an error in its place.
func appendAnswer(answers []byte, p part, resp *fasthttp.Response) []byte {
	if !p.answers || len(resp.Body()) == 0 && resp.StatusCode() == 404 { // the end of a session is no answer
		return answers
	}
	if len(answers) > 0 {
		answers = append(answers, ',')
	}
	body := resp.Body()
	if eventStream(resp.Header.ContentType()) {
		body = lastAnswer(body)
	}
	if _, err := mcp.ParseReply(body); err != nil {
		return mcp.AppendError(answers, p.id, max(resp.StatusCode(), fasthttp.StatusBadGateway), "the server's answer cannot be read", nil)
	}
	return append(answers, bytes.TrimSpace(body)...)
}

// lastAnswer returns the last message of an event stream that answers something. The notifications before it have no
// place in the answer to a batch.
func lastAnswer(stream []byte) []byte {
	var answer []byte
	frames := mcp.NewFrameReader(bytes.NewReader(stream), len(stream)+1)
	for {
		fr, err := frames.Next()
		if err != nil {
			return answer
		}
		if r, err := mcp.ParseReply(fr.Data); err == nil && fr.Complete && r.Method == "" {
			answer = bytes.Clone(fr.Data)
		}
	}
}

// collect writes the reply to a batch: the answers, or 202 when none was due, or else the refusal.
func (x *Exchange) collect(answers []byte, refusal *fasthttp.Response) {
	resp := &x.ctx.Response
	switch {
	case len(answers) > 0:
		resp.Header.SetContentType("application/json")
		resp.SetBodyRaw(append(append(append(make([]byte, 0, len(answers)+2), '['), answers...), ']'))
		x.allowOrigin()
	case refusal != nil:
		refusal.CopyTo(resp)
	default:
		resp.SetStatusCode(fasthttp.StatusAccepted)
		x.allowOrigin()
	}
}
