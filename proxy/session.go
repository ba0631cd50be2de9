package proxy

import (
	"context"
	"crypto/sha256"
	"strconv"
	"time"

	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/mcp"
	"sark/internal/session"
)

// Sessions remembers which principal owns a legacy MCP session. now is the exchange's own clock read. An error means that
// nobody can say at the moment.
type Sessions interface {
	// Bind makes owner the owner of a new session; false when the id belongs to somebody else.
	Bind(ctx context.Context, kind session.Kind, id []byte, owner [32]byte, now time.Time) (bool, error)
	// Owned reports whether the session is owner's. Unknown and foreign are the same.
	Owned(ctx context.Context, kind session.Kind, id []byte, owner [32]byte, now time.Time) (bool, error)
	// Drop forgets a session of owner.
	Drop(ctx context.Context, kind session.Kind, id []byte, owner [32]byte)
}

const sessionHeader = "Mcp-Session-Id"

// session refuses a session that is not the caller's: knowing an id is no authority (MCP "Session hijacking"), and no server
// can give out a session of another one. The reply
// is a 404 without a body, as servers give for a session that has ended, so that clients begin a new one and nobody
// learns whether the id exists. Requests of the stateless era have no session: the field is dropped.
func (h *Handler) session(x *Exchange) bool {
	hd := &x.ctx.Request.Header
	id := hd.Peek(sessionHeader)
	if len(id) == 0 {
		return true
	}
	if x.Call.Era == mcp.Modern || mcp.ModernVersion(x.Call.ProtocolVersion) {
		hd.Del(sessionHeader)
		return true
	}
	owned, err := h.owns(x, session.Session, x.target.server.name, mcp.Text(id))
	if err != nil {
		return x.refuse(sessionsUnavailable(err))
	}
	if owned {
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
	if x.Call.Kind == mcp.Response && x.ctx.Response.StatusCode() < 300 {
		h.done(x)
	}
	asked, resp := x.ctx.Request.Header.Peek(sessionHeader), &x.ctx.Response
	if x.Call.Action == mcp.ActionEnd && resp.StatusCode() < 300 {
		owner := x.owner()
		h.o.Sessions.Drop(x.context(), session.Session, x.binding(x.target.server.name, mcp.Text(asked)), owner)
		return
	}
	given := resp.Header.Peek(sessionHeader)
	if len(given) == 0 || string(given) == string(asked) || resp.StatusCode() >= 400 {
		return
	}
	bound, err := h.bind(x, session.Session, x.target.server.name, mcp.Text(given))
	switch {
	case err != nil:
		x.refuse(sessionsUnavailable(err))
	case !bound:
		x.refuse(&Problem{Status: 502, Rule: "session", Reason: "the server gave out a session of another caller", Outcome: audit.OutcomeUpstreamFailed})
	}
}

// sessionsUnavailable is the problem of a session of which nobody here knows whose it is. The client may ask again: a 404
// would end a session that may well be its own.
func sessionsUnavailable(cause error) *Problem {
	return &Problem{Status: 503, Rule: "session", Reason: "sessions cannot be looked up now", Retry: time.Second, Cause: cause}
}

// owner identifies the principal behind the credential, so that a session outlives the renewal of a token.
func (x *Exchange) owner() [32]byte {
	x.scratch = appendOwner(x.scratch[:0], x.Principal)
	return sha256.Sum256(x.scratch)
}

// ownerOf is the owner of a principal without an exchange.
func ownerOf(p *authn.Principal) [32]byte { return sha256.Sum256(appendOwner(nil, p)) }

// appendOwner appends what identifies a principal, and nobody else.
func appendOwner(dst []byte, p *authn.Principal) []byte {
	for _, part := range [...]string{string(p.Method), p.Issuer, p.ID, p.ClientID, p.KeyID} {
		dst = appendSized(dst, part)
	}
	return dst
}

// appendSized appends a text after its length, so that texts one after the other can be read in one way only.
func appendSized(dst []byte, text string) []byte {
	dst = append(strconv.AppendInt(dst, int64(len(text)), 10), ':')
	return append(dst, text...)
}
