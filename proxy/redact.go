package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"sark/internal/audit"
	"sark/internal/mcp"
)

var errUnmaskable = errors.New("the policy demands to redact what cannot be redacted on this request")

// redactable reports whether what the policy wants masked can be masked on this exchange: in the arguments of a tool or a
// prompt, and in what an MCP server answers or sends on a stream. Lists are filtered instead, and what other messages carry
// has no arguments to look for.
func (x *Exchange) redactable() bool {
	r := x.Decision.Obligations.Redact
	if r == nil {
		return true
	}
	stream := x.Call.Route == "mcp.stream"
	request := x.Call.Kind == mcp.Request && mcp.ListKey(x.Call.Method) == ""
	answered := r.Results == nil || stream || x.address == "" // else the answer comes on a stream, which knows no call
	ok := x.target.kind == kindMCP && (stream || request) && answered && (r.Arguments == nil || stream || x.hidesNoArguments())
	if !ok {
		x.Decision.Err = errUnmaskable
	}
	return ok
}

// hidesNoArguments reports whether all that a client says in the message of its call stands in its arguments, or is no value
// of the user's.
func (x *Exchange) hidesNoArguments() bool {
	switch x.Call.Method {
	case "completion/complete", "tasks/update":
		return false
	}
	return mcp.KnownMethod(x.Call.Method)
}

// redact rewrites the body with the arguments masked, and reads it anew: the bytes that are forwarded are always bytes that
// were read. Nothing but the masked values changes. Headers that repeat one of them go.
func (x *Exchange) redact() error {
	r := x.Decision.Obligations.Redact
	if r == nil || r.Arguments == nil || x.Call.Arguments == nil {
		return nil
	}
	req := &x.ctx.Request
	body, gone, err := r.Arguments.Arguments(req.Body())
	if err != nil || len(gone) == 0 {
		return err
	}
	x.dropParams(r.Arguments, gone)
	req.SwapBody(body) // what aliases the body before stays valid: it is not reused
	hd := &req.Header
	h := mcp.Header{ProtocolVersion: hd.Peek("Mcp-Protocol-Version"), Method: hd.Peek("Mcp-Method"), Name: hd.Peek("Mcp-Name")}
	if err := mcp.Parse(&x.Call, body, h); err != nil {
		return fmt.Errorf("read the redacted message: %w", err)
	}
	x.Call.ProtocolVersion = x.keep([]byte(x.Call.ProtocolVersion))
	return nil
}

// dropParams removes the Mcp-Param-* headers that repeat what was masked: by their value, by their name, or by a pattern.
func (x *Exchange) dropParams(m *mcp.Mask, gone []string) {
	var names []string
	for name, value := range x.ctx.Request.Header.All() {
		param, ok := bytes.CutPrefix(name, []byte(mcp.ParamPrefix))
		if !ok {
			continue
		}
		text, good := mcp.DecodeHeader(value)
		if !good || m.Names(param) || m.Matches(text) || slices.Contains(gone, mcp.Text(text)) {
			names = append(names, string(name))
		}
	}
	for _, name := range names {
		x.ctx.Request.Header.Del(name)
	}
}

// resultMask is what is to be masked in what the server sends, nil when nothing is.
func (x *Exchange) resultMask() *mcp.Mask {
	if r := x.Decision.Obligations.Redact; r != nil {
		return r.Results
	}
	return nil
}

// maskReply masks a reply in memory. One that cannot be understood is not shown.
func (h *Handler) maskReply(x *Exchange, m *mcp.Mask) {
	resp := &x.ctx.Response
	if len(resp.Body()) == 0 {
		return
	}
	if resp.StatusCode() == 202 { // no answer; whatever this is, it is not passed on
		resp.ResetBody()
		return
	}
	out, err := m.Reply(resp.Body())
	if err != nil {
		x.refuse(&Problem{
			Status: 502, Rule: "redact", Reason: "the server's reply cannot be redacted", Outcome: audit.OutcomeUpstreamFailed, Cause: err,
		})
		return
	}
	resp.SetBodyRaw(out)
}

// maskFrame masks the message of a frame, and takes its id out: with it a client could have the event sent again on another
// stream, which the policy decides without knowing the call.
func (h *Handler) maskFrame(x *Exchange, fr *mcp.Frame, data []byte) []byte {
	if len(data) > 0 {
		out, err := x.resultMask().Reply(data)
		if err != nil {
			x.out.dropped++
			return nil
		}
		data = out
	}
	if x.Call.Route == "mcp.stream" { // what is sent again there is decided by the same rule
		return fr.AppendWithData(nil, data)
	}
	return fr.AppendWithoutID(nil, data)
}
