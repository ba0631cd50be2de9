package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/internal/audit"
	"sark/internal/mcp"
)

// Problem is a refusal or a failure: what the client is told, and what is recorded. Nothing else writes an error reply.
type Problem struct {
	// Status is the HTTP status.
	Status int
	// Code is the JSON-RPC code; 0 means the status as a positive number, which is outside the reserved range.
	Code int
	// Rule names the check or policy rule that refused.
	Rule string
	// Reason is what the client is told.
	Reason string
	// Outcome is what is recorded; "" means denied for 4xx and error for 5xx.
	Outcome audit.Outcome
	// Retry is sent as Retry-After, rounded up to seconds, when positive.
	Retry time.Duration
	// Challenge is sent as WWW-Authenticate when not empty.
	Challenge string
	// Close ends the connection after the reply.
	Close bool
	// Allow is sent as Allow when not empty (405), and Upgrade as Upgrade (426).
	Allow, Upgrade string
	// ToolError answers with a tool result that has isError set, and status 200.
	ToolError bool
	// Unknown answers a JSON-RPC caller with status 200 and the error that servers give for what they do not have.
	Unknown bool
	// Unread says that the header could not be read, so that it is not known whether the caller expects JSON-RPC.
	Unread bool
	// Empty sends no body: what clients know of a session that has ended.
	Empty bool
	// Supported and Requested are told in the data of a refused protocol revision (MCP 2026-07-28, "Error codes").
	Supported []string
	Requested string
	// Cause is for the log and the audit trail; it never reaches the client.
	Cause error
}

func (p *Problem) outcome() audit.Outcome {
	switch {
	case p.Outcome != "":
		return p.Outcome
	case p.Status >= 500:
		return audit.OutcomeError
	}
	return audit.OutcomeDenied
}

func (p *Problem) code() int {
	if p.Code != 0 {
		return p.Code
	}
	return p.Status
}

// unreadable is the problem of a request that fasthttp could not read.
func unreadable(err error) *Problem {
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return &Problem{Status: 413, Rule: "body_size", Reason: "request body is too large", Close: true, Cause: err}
	case errors.As(err, &small):
		return &Problem{Status: 431, Rule: "header_size", Reason: "request headers are too large", Close: true, Cause: err}
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return &Problem{Status: 408, Rule: "slow_request", Reason: "request took too long to arrive", Close: true, Cause: err}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return &Problem{Status: 400, Rule: "framing", Reason: "request ended early", Outcome: audit.OutcomeClientGone, Close: true, Cause: err}
	}
	return &Problem{Status: 400, Rule: "framing", Reason: "request is malformed", Close: true, Cause: err}
}

// writeProblem writes the reply of a problem: JSON-RPC to JSON-RPC callers, else the management API's envelope. The body
// of a request that was refused before it was parsed is read for its id, since clients drop errors without it.
func (h *Handler) writeProblem(x *Exchange) {
	p, resp := x.problem, &x.ctx.Response
	resp.ResetBody()
	resp.SetStatusCode(p.Status)
	resp.Header.SetContentType("application/json")
	if p.Close {
		resp.SetConnectionClose()
	}
	if p.Retry > 0 {
		resp.Header.Set("Retry-After", strconv.Itoa(int((p.Retry+time.Second-1)/time.Second)))
	}
	if p.Challenge != "" {
		resp.Header.Set("WWW-Authenticate", p.Challenge)
	}
	if p.Allow != "" {
		resp.Header.Set("Allow", p.Allow)
	}
	if p.Upgrade != "" {
		resp.Header.Set("Upgrade", p.Upgrade)
	}
	if p.Empty {
		resp.Header.SetContentType("")
		return
	}
	body := resp.Body()[:0]
	switch {
	case !x.wantsRPC():
		body = appendEnvelope(body, x, p)
	case p.ToolError:
		resp.SetStatusCode(200)
		body = mcp.AppendResult(body, x.Call.ID, toolError(x, p))
	default:
		if p.Unknown {
			resp.SetStatusCode(200)
		}
		body = mcp.AppendError(body, x.rpcID(), p.code(), p.message(x), appendData(nil, x, p))
	}
	resp.SetBodyRaw(body)
	x.out.rpcCode = p.code()
}

// wantsRPC reports whether a problem is answered in JSON-RPC. Where only MCP servers are served, a caller whose request
// could not be read, or whose message went to a wrong path, is taken for an MCP client: those end their session on an error
// that is not JSON-RPC.
func (x *Exchange) wantsRPC() bool {
	if x.isRPC() {
		return true
	}
	if x.problem == nil || x.h.o.Local != nil {
		return false
	}
	return x.problem.Unread || x.target == nil && x.ctx.IsPost() && jsonType(x.ctx.Request.Header.ContentType())
}

// rpcID returns the id of the request, if need be from the part of the body that can be read.
func (x *Exchange) rpcID() []byte {
	if x.Call.ID != nil {
		return x.Call.ID
	}
	body := x.ctx.Request.Body()
	return mcp.RequestID(body[:min(len(body), 64<<10)])
}

// message is the sentence that clients show to people: it holds the reason and what to quote to an operator.
func (p *Problem) message(x *Exchange) string {
	if p.Unknown {
		return p.Reason
	}
	if x.Decision.ID != uuid.Nil {
		return p.Reason + " (decision " + x.Decision.ID.String() + ")"
	}
	return p.Reason + " (exchange " + x.ID.String() + ")"
}

func toolError(x *Exchange, p *Problem) []byte {
	b := mcp.AppendString([]byte(`{"content":[{"type":"text","text":`), p.message(x))
	b = append(b, `}],"isError":true`...)
	if x.Call.Era == mcp.Modern {
		b = append(b, `,"resultType":"complete"`...)
	}
	return append(b, '}')
}

// appendData appends the data member of a JSON-RPC refusal. It is nil for answers that must look like the server's own.
func appendData(dst []byte, x *Exchange, p *Problem) []byte {
	if p.Unknown {
		return nil
	}
	dst = mcp.AppendString(append(dst, `{"reason":`...), p.Reason)
	dst = mcp.AppendString(append(dst, `,"rule":`...), p.Rule)
	dst = mcp.AppendString(append(dst, `,"exchange_id":`...), x.ID.String())
	if x.Decision.ID != uuid.Nil {
		dst = mcp.AppendString(append(dst, `,"decision_id":`...), x.Decision.ID.String())
	}
	if p.Supported != nil {
		dst = appendStrings(append(dst, `,"supported":`...), p.Supported)
		dst = mcp.AppendString(append(dst, `,"requested":`...), p.Requested)
	}
	return append(dst, '}')
}

// appendEnvelope appends the error body of plain HTTP and of the management API.
func appendEnvelope(dst []byte, x *Exchange, p *Problem) []byte {
	dst = mcp.AppendString(append(dst, `{"detail":`...), p.Reason)
	dst = mcp.AppendString(append(dst, `,"code":`...), p.Rule)
	dst = mcp.AppendString(append(dst, `,"request_id":`...), x.ID.String())
	if x.Decision.ID != uuid.Nil {
		dst = mcp.AppendString(append(dst, `,"decision_id":`...), x.Decision.ID.String())
	}
	return append(dst, '}')
}
