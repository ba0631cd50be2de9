package proxy

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"sark/internal/audit"
	"sark/internal/mcp"
	"sark/internal/session"
)

// addressArg is the query argument by which a client of the HTTP+SSE transport names where its messages go.
const addressArg = "sark_endpoint"

// maxAddress is how long the address of a session may be, in bytes.
const maxAddress = 2048

// addressNames are the query arguments by which a server tells sessions of the HTTP+SSE transport apart where their addresses
// are on its own path, as its addresses say that passed here. The zero value is ready, and safe for concurrent use.
type addressNames struct{ known atomic.Pointer[[]string] }

// maxAddressNames bounds what is remembered of a server's addresses.
const maxAddressNames = 16

// learn reads an address of a server whose endpoint is at own.
func (n *addressNames) learn(own, address string) {
	at, err1 := url.Parse(own)
	to, err2 := url.Parse(address)
	if err1 != nil || err2 != nil || at.Path != to.Path {
		return
	}
	var names []string
	old := n.known.Load()
	if old != nil {
		names = slices.Clone(*old)
	}
	mine := at.Query()
	for name := range to.Query() {
		if !mine.Has(name) && !slices.Contains(names, name) && len(names) < maxAddressNames {
			names = append(names, name)
		}
	}
	n.known.CompareAndSwap(old, &names) // whoever lost says it with the next address
}

// among reports whether a query names a session.
func (n *addressNames) among(args *fasthttp.Args) bool {
	names := n.known.Load()
	return names != nil && slices.ContainsFunc(*names, args.Has)
}

// rewriteAddress puts the gateway in the place of a server of the HTTP+SSE transport (MCP 2024-11-05, "Transports"): the
// first event of its stream says where the client is to send its messages. The address becomes the caller's, and what the
// client gets is an address of ours that names it. One on another host is not passed on: messages to it would go past
// the gateway.
func (h *Handler) rewriteAddress(x *Exchange, fr *mcp.Frame) []byte {
	uri := localAddress(x.target.uri, x.target.server.hostHeader, string(bytes.TrimSpace(fr.Data)))
	if uri == "" || h.o.Sessions == nil {
		x.out.dropped++
		return nil
	}
	if mine, err := h.bind(x, session.Address, x.target.server.name, uri); !mine || err != nil {
		x.out.dropped++
		return nil
	}
	x.target.server.upstream.names.learn(x.target.uri, uri)
	x.address = uri
	return fr.AppendWithData(nil, []byte("?"+addressArg+"="+url.QueryEscape(uri)))
}

// localAddress resolves a server's address against its own and returns path and query, or "" when it is on another host.
func localAddress(base, host, text string) string {
	at, err := url.Parse(base)
	if err != nil {
		return ""
	}
	ref, err := at.Parse(text)
	if err != nil || ref.Host != "" && !strings.EqualFold(ref.Host, host) || ref.User != nil || len(text) > maxAddress {
		return ""
	}
	uri := ref.RequestURI()
	if !strings.HasPrefix(uri, "/") {
		return ""
	}
	return uri
}

// addressed finds where a message of the HTTP+SSE transport goes. Only who was given the address may use it; anybody else
// gets the reply to a session that has ended. That goes for the server's own path too, whose query is the client's.
func (h *Handler) addressed(x *Exchange) bool {
	if !x.ctx.IsPost() || bytes.IndexByte(x.ctx.Request.Header.RequestURI(), '?') < 0 {
		return true
	}
	uri := ""
	switch args := x.ctx.QueryArgs(); {
	case args.Has(addressArg):
		uri = string(args.Peek(addressArg))
	case x.target.server.upstream != nil && x.target.server.upstream.names.among(args):
		uri = x.upstreamURI()
	default:
		return true
	}
	mine, err := h.owns(x, session.Address, x.target.server.name, uri)
	if !x.unless(mine, err, &Problem{Status: 404, Rule: "session", Reason: "no such session", Outcome: audit.OutcomeDenied, Empty: true}) {
		return false
	}
	x.address = uri
	return true
}
