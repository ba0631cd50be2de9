package proxy

import (
	"crypto/sha256"
	"strconv"
	"time"

	"sark/internal/audit"
	"sark/internal/mcp"
)

// Sessions remembers which principal owns a legacy MCP session. now is the exchange's own clock read.
type Sessions interface {
	// Bind makes owner the owner of a new session; false when the id belongs to somebody else.
	Bind(id []byte, owner [32]byte, now time.Time) bool
	// Owned reports whether the session is owner's. Unknown and foreign are the same.
	Owned(id []byte, owner [32]byte, now time.Time) bool
	// Drop forgets a session of owner.
	Drop(id []byte, owner [32]byte)
}

const sessionHeader = "Mcp-Session-Id"

// session refuses a session that is not the caller's: knowing an id is no authority (MCP "Session hijacking"). The reply
// is a 404 without a body, as servers give for a session that has ended, so that clients begin a new one and nobody
// learns whether the id exists. Requests of the stateless era have no session: the field is dropped.
func (h *Handler) session(x *Exchange) bool {
	hd := &x.ctx.Request.Header
	id := hd.Peek(sessionHeader)
	if len(id) == 0 || h.o.Sessions == nil || x.target.kind != kindMCP {
		return true
	}
	if x.Call.Era == mcp.Modern || mcp.ModernVersion(x.Call.ProtocolVersion) {
		hd.Del(sessionHeader)
		return true
	}
	if h.o.Sessions.Owned(id, x.owner(), x.Start) {
		return true
	}
	return x.refuse(&Problem{Status: 404, Rule: "session", Reason: "no such session", Outcome: audit.OutcomeDenied, Empty: true})
}

// settle keeps the table of sessions in step with what the server answered: a session that it opened is the caller's, one
// that was ended is forgotten.
func (h *Handler) settle(x *Exchange) {
	if h.o.Sessions == nil || x.target.kind != kindMCP {
		return
	}
	asked, resp := x.ctx.Request.Header.Peek(sessionHeader), &x.ctx.Response
	if x.Call.Action == mcp.ActionEnd && resp.StatusCode() < 300 {
		h.o.Sessions.Drop(asked, x.owner())
		return
	}
	given := resp.Header.Peek(sessionHeader)
	if len(given) == 0 || string(given) == string(asked) || resp.StatusCode() >= 400 {
		return
	}
	if !h.o.Sessions.Bind(given, x.owner(), x.Start) {
		x.refuse(&Problem{Status: 502, Rule: "session", Reason: "the server gave out a session of another caller", Outcome: audit.OutcomeUpstreamFailed})
	}
}

// owner identifies the principal behind the credential, so that a session outlives the renewal of a token.
func (x *Exchange) owner() [32]byte {
	p := x.Principal
	b := x.scratch[:0]
	for _, part := range [...]string{string(p.Method), p.Issuer, p.ID, p.ClientID, p.KeyID} {
		b = append(strconv.AppendInt(b, int64(len(part)), 10), ':')
		b = append(b, part...)
	}
	x.scratch = b
	return sha256.Sum256(b)
}
