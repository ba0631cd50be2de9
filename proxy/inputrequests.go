package proxy

import (
	"bytes"
	"net"
	"net/url"

	"github.com/google/uuid"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/mcp"
)

// mayWant reports whether the answer to a call may ask the client for input instead (MCP 2026-07-28, "Multi round-trip
// requests"), so that it has to be read before it is passed on.
func (x *Exchange) mayWant() bool {
	return x.target.kind == kindMCP && x.Call.Kind == mcp.Request && x.Call.Era == mcp.Modern && !x.longLived()
}

// wanting reports whether the bytes of an answer could ask for input; those that spell the word with escapes count, and those
// that spell it with other capitals.
func wanting(body []byte) bool {
	return mcp.ContainsKey(body, "inputrequests") || bytes.Contains(body, []byte("input_required")) || bytes.Contains(body, []byte(`\u`))
}

// mayInput decides each request for input that a result holds, as the requests on a stream of the legacy era are. One that
// is denied takes the whole result with it, since the call cannot go on without the answer.
func (h *Handler) mayInput(x *Exchange, r *mcp.Reply) *Problem {
	if r.Input == nil {
		return nil
	}
	var denied *Problem
	err := mcp.InputRequests(r.Input, func(message []byte) {
		x.out.asked++
		d := h.decideServer(x, message)
		if d.Allow {
			return
		}
		x.out.refused++
		denied = inputDenied(&d)
	})
	if err != nil {
		return &Problem{Status: 502, Rule: "input", Reason: "the server's request for input cannot be read", Outcome: audit.OutcomeUpstreamFailed, Cause: err}
	}
	return denied
}

func inputDenied(d *authz.Decision) *Problem {
	p := &Problem{Status: 403, Rule: d.Rule, Reason: d.Reason, Outcome: audit.OutcomeDenied, Cause: d.Err}
	setDefault(&p.Rule, "policy")
	setDefault(&p.Reason, "the server's request for input is denied by policy")
	return p
}

// inFrame returns a frame whose answer is replaced by the error of p.
func (h *Handler) inFrame(x *Exchange, fr *mcp.Frame, id []byte, p *Problem) []byte {
	x.problem = p
	x.out.rpcCode, x.out.failed = p.code(), true
	return fr.AppendWithData(nil, mcp.AppendError(nil, id, p.code(), p.message(x), appendData(nil, x, p)))
}

// subject is what a server's request to the client is about: for an elicitation that sends a person to a web page, the host
// of that page. It returns a denial for a page that nobody should be sent to (MCP 2025-11-25, "URL mode elicitation").
func subject(call *mcp.Call) (authz.Resource, *authz.Decision) {
	call.Arguments = call.Params
	if call.Method != "elicitation/create" {
		return authz.Resource{}, nil
	}
	page := mcp.Member(call.Params, "url")
	if page == nil {
		return authz.Resource{Type: "form"}, nil
	}
	call.URI = mcp.String(page)
	u, err := url.Parse(call.URI)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return authz.Resource{}, &authz.Decision{ID: uuid.Nil, Rule: "elicitation_url", Reason: "a person must not be sent to that address"}
	}
	return authz.Resource{Type: "url", ID: u.Hostname()}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// inputResponses is how many answers of the client a call carries.
func (x *Exchange) inputResponses() int {
	if !x.Call.Streams || x.Call.Era != mcp.Modern {
		return 0
	}
	return mcp.Size(mcp.Member(x.Call.Params, "inputResponses"))
}
