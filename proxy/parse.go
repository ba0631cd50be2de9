package proxy

import (
	"errors"

	"sark/internal/mcp"
)

// parse reads what is asked. The bytes that it read are the bytes that will be forwarded.
func (h *Handler) parse(x *Exchange) bool {
	switch x.target.kind {
	case kindLocal: // already routed
		return true
	case kindMetadata:
		x.Call = mcp.Call{Kind: mcp.Plain, Action: "metadata:read", Route: "oauth.metadata", ReadOnly: true}
		return true
	case kindPreflight:
		x.Call = mcp.Call{Kind: mcp.Plain, Action: "cors:preflight", Route: "cors.preflight", ReadOnly: true}
		return true
	case kindPassthrough:
		verb := string(x.ctx.Method())
		x.Call = mcp.Call{Kind: mcp.Plain, Action: "http:" + lowerASCII(verb), ResourceType: "path", Name: x.path, Route: "passthrough", ReadOnly: verb == "GET" || verb == "HEAD"}
		return true
	case kindMCP:
	}
	hd := &x.ctx.Request.Header
	if !x.ctx.IsPost() {
		x.Call = streamCall(x.ctx.IsGet())
		x.Call.ProtocolVersion = x.keep(hd.Peek("Mcp-Protocol-Version"))
		return true
	}
	err := mcp.Parse(&x.Call, x.ctx.Request.Body(), mcp.Header{
		ProtocolVersion: hd.Peek("Mcp-Protocol-Version"),
		Method:          hd.Peek("Mcp-Method"),
		Name:            hd.Peek("Mcp-Name"),
	})
	if err == nil {
		// It may stand in a header, whose memory is used anew when the headers are made ready for the upstream.
		x.Call.ProtocolVersion = x.keep([]byte(x.Call.ProtocolVersion))
		if x.Call.ResourceType == "tool" {
			x.tool = x.target.server.tool(x.Call.Name)
		}
		return h.params(x) && h.era(x) && h.within(x)
	}
	p := &Problem{Status: 400, Code: mcp.CodeInvalidRequest, Rule: "parse", Reason: "not a JSON-RPC message", Cause: err}
	var bad *mcp.Error
	if errors.As(err, &bad) {
		p.Code, p.Reason = bad.Code, bad.Reason
		x.Call = mcp.Call{ID: bad.ID}
		if bad.Code == mcp.CodeHeaderMismatch {
			p.Rule = "header_mismatch"
		}
	}
	return x.refuse(p)
}

// within refuses what has no place in a batch: what opens a session (MCP 2025-03-26, "Lifecycle"), and whatever is left of
// one whose client is no longer there.
func (h *Handler) within(x *Exchange) bool {
	switch {
	case x.part == nil:
		return true
	case x.Call.Method == "initialize":
		return x.refuse(notBatch("initialize must not be part of a batch"))
	case x.part.full:
		return x.refuse(unanswerable())
	case h.phase.Load() == abandoning:
		return x.refuse(stopping(errDraining))
	case gone(x.ctx.Conn()):
		return x.refuse(clientGone(errClientGone))
	}
	return true
}

// streamCall is a GET that opens or resumes a legacy event stream, or a DELETE that ends a legacy session.
func streamCall(get bool) mcp.Call {
	if get {
		return mcp.Call{Kind: mcp.Plain, Action: mcp.ActionStream, Route: "mcp.stream", ReadOnly: true, Streams: true}
	}
	return mcp.Call{Kind: mcp.Plain, Action: mcp.ActionEnd, Route: "mcp.session.end"}
}

func lowerASCII(s string) string { return string(lower(nil, []byte(s))) }
