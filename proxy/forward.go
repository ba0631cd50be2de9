package proxy

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// forward sends the request to where it leads: an upstream over a pooled connection, or a handler in this process. The
// bytes of the body are those that were read and decided.
func (h *Handler) forward(x *Exchange) {
	switch x.target.kind {
	case kindLocal:
		x.local = true
		caller := authn.Caller{Principal: x.Principal, ExchangeID: x.ID, DecisionID: x.Decision.ID, ClientIP: x.Client}
		x.out.told = h.o.Local.Serve(x.context(), caller, &x.Call, &x.ctx.Request, &x.ctx.Response)
	case kindMetadata:
		x.local = true
		h.metadata(x)
	case kindPreflight:
		x.local = true
		h.answerPreflight(x)
	case kindMCP, kindPassthrough:
		h.send(x)
	}
}

// send asks the upstream. Requests and replies are fasthttp's own objects all the way: no header is copied.
func (h *Handler) send(x *Exchange) {
	s, req, resp := x.target.server, &x.ctx.Request, &x.ctx.Response
	if p := s.unavailable(); p != nil {
		x.refuse(p)
		return
	}
	credential, p := s.upstream.credential(x)
	if p != nil {
		x.refuse(p)
		return
	}
	x.prepare(s.forward)
	if credential != nil {
		req.Header.SetCanonical([]byte("Authorization"), credential)
	}
	x.validate()
	req.SetRequestURI(x.upstreamURI())
	req.Header.SetHost(s.hostHeader)
	resp.Reset()
	resp.Header.SetNoDefaultContentType(true)
	began := h.o.Now()
	err := s.upstream.send(x, began)
	x.upstreamTime = h.o.Now().Sub(began)
	switch {
	case x.left != nil: // fasthttp tells its readers less
		x.refuse(x.leaving())
	case err != nil:
		x.refuse(upstreamProblem(err))
	default:
		x.strip(&resp.Header)
		if err := x.ambiguous(); err != nil {
			x.refuse(upstreamProblem(err))
			return
		}
		h.settle(x)
	}
}

// ambiguous returns why clients could read a reply of an MCP server in another way than this gateway, or nil: it is compressed,
// since no request accepts that, and what some of them take for an event stream and others do not. On a GET they all expect
// an event stream, whatever the reply calls itself.
func (x *Exchange) ambiguous() error {
	hd := &x.ctx.Response.Header
	if x.target.kind != kindMCP {
		return nil
	}
	if coding := hd.ContentEncoding(); len(coding) > 0 && string(coding) != "identity" {
		return errCoded
	}
	kind, parameters, _ := bytes.Cut(hd.ContentType(), []byte{';'})
	switch {
	case eventStream(kind) && len(bytes.TrimRight(kind, " \t")) == len(mediaSSE):
		if mcp.ContainsFold(parameters, "json") {
			return errMediaType
		}
	case mcp.ContainsFold(hd.ContentType(), "event-stream"), x.Call.Route == "mcp.stream" && x.ctx.Response.StatusCode() < 300:
		return errMediaType
	}
	return nil
}

// look implements watcher while the upstream has not begun its reply: a client that left is not waited for any more,
// which cancels the call.
func (x *Exchange) look(now time.Time) error {
	switch {
	case gone(x.ctx.Conn()) && !x.awaited():
		x.left = errClientGone
	case x.h.phase.Load() == abandoning:
		x.left = errDraining
	}
	if now.Sub(x.Start) >= x.h.o.OpenAfter {
		x.h.open(x)
	}
	return x.left
}

func (x *Exchange) leaving() *Problem {
	if errors.Is(x.left, errDraining) {
		return stopping(x.left)
	}
	return clientGone(x.left)
}

// stopping is the problem of a call that was in progress for longer than the shutdown waits.
func stopping(cause error) *Problem {
	return &Problem{Status: 503, Rule: "shutdown", Reason: "the gateway is shutting down", Cause: cause, Close: true}
}

// clientGone is the problem of a client that left before its reply was complete. Nobody reads it but the trail.
func clientGone(cause error) *Problem {
	return &Problem{Status: 499, Rule: "client_gone", Reason: "client left", Outcome: audit.OutcomeClientGone, Cause: cause, Close: true}
}

// upstreamURI is the configured path, with the client's query where the configuration has none.
func (x *Exchange) upstreamURI() string {
	if x.address != "" {
		return x.address
	}
	_, query, _ := bytes.Cut(x.ctx.Request.Header.RequestURI(), []byte{'?'})
	if len(query) == 0 || strings.Contains(x.target.uri, "?") {
		return x.target.uri
	}
	return x.target.uri + "?" + string(query)
}
