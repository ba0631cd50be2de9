package proxy

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/internal/authn"
	"sark/internal/mcp"
)

// Names of the headers that tell an upstream who asks, in canonical form.
const (
	headerPrincipal  = "X-Sark-Principal"
	headerRoles      = "X-Sark-Roles"
	headerExchangeID = "X-Sark-Exchange-Id"
	headerDecisionID = "X-Sark-Decision-Id"
	headerForwarded  = "X-Forwarded-For"
)

// headerLastEvent asks a server for the events of a stream after one, in canonical form.
const headerLastEvent = "Last-Event-Id"

// resumes reports whether the events of a stream may be asked for: in a session, which is its caller's by now, and by a GET (MCP
// 2025-11-25, "Resumability and Redelivery"). Without a session an event's id would be all that is needed to read what another
// caller was sent; the modern era knows none, and its servers are told of none.
func (x *Exchange) resumes() bool {
	return x.target.kind != kindMCP || x.h.o.Sessions == nil || x.ctx.IsGet() && len(x.ctx.Request.Header.Peek(sessionHeader)) > 0
}

// hopByHop reports whether a field ends at this hop (RFC 9110 section 7.6.1). Connection names further ones.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// ours reports whether a request field is not the client's to send upstream: its credential, what this gateway says about
// it, Accept-Encoding, since replies are read here, Expect, which was met when the body was read, and those by which some
// frameworks take another method or path than the request's, which were decided.
func ours(name string) bool {
	switch name {
	case "Authorization", "X-Api-Key", "Accept-Encoding", "Expect",
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url":
		return true
	}
	return strings.HasPrefix(name, "X-Sark-")
}

// withheld reports whether a request field does not go upstream. A field in disguise goes only where nothing depends on the
// one that it would be read as.
func withheld(name string, trusted bool) bool {
	if other := disguised(name); other != "" {
		return hopByHop(other) || ours(other) || claimed(other, false) || other == headerLastEvent || strings.HasPrefix(other, "Mcp-") || strings.HasPrefix(other, "Content-")
	}
	return hopByHop(name) || ours(name) || claimed(name, trusted)
}

// masks reports whether a field may be read as one that the policy saw, or did not see, under its proper name.
func (h *Handler) masks(name string) bool {
	if len(h.o.PolicyHeaders) == 0 {
		return false
	}
	other := disguised(name)
	return other != "" && slices.ContainsFunc(h.o.PolicyHeaders, func(n string) bool { return strings.EqualFold(n, other) })
}

// prepare turns the client's request headers into those that go upstream: hop-by-hop fields and credentials out, our
// identity headers in.
func (x *Exchange) prepare(forwardCredential bool) {
	hd := &x.ctx.Request.Header
	keep := ""
	if forwardCredential && x.Principal.Method == authn.MethodJWT {
		keep = "Authorization"
	}
	f := x.sift.reset()
	for name, value := range hd.All() {
		n := mcp.Text(name)
		f.see(n, value, n != keep && (withheld(n, x.trusted) || n == headerLastEvent && !x.resumes() || x.h.masks(n)))
	}
	if len(f.gone) > 0 {
		f.keep(hd.PeekAll)
		for _, n := range f.gone {
			hd.Del(n)
		}
		for _, l := range f.lines {
			hd.Add(l[0], l[1])
		}
	}
	set := func(name string, value []byte) { hd.SetCanonical([]byte(name), value) }
	b := appendField(x.scratch[:0], x.Principal.ID)
	set(headerPrincipal, b)
	b = b[:0]
	for i, role := range x.Principal.Roles {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, role)
	}
	set(headerRoles, b)
	b = appendUUID(b[:0], x.ID)
	set(headerExchangeID, b)
	b = appendUUID(b[:0], x.Decision.ID)
	set(headerDecisionID, b)
	if x.Client.IsValid() {
		b = x.appendForwardedFor(b[:0])
		set(headerForwarded, b)
	}
	x.scratch = b
}

// strip removes from a reply what ends at this hop. Its Transfer-Encoding stays: fasthttp frames the reply anew.
func (x *Exchange) strip(hd *fasthttp.ResponseHeader) {
	f := x.sift.reset()
	for name, value := range hd.All() {
		n := mcp.Text(name)
		f.see(n, value, n != "Transfer-Encoding" && hopByHop(n))
	}
	if len(f.gone) > 0 {
		f.keep(hd.PeekAll)
		for _, n := range f.gone {
			hd.Del(n)
		}
		for _, l := range f.lines {
			hd.Add(l[0], l[1])
		}
	}
}

// sift sorts the fields of a message into those that go and those that stay. fasthttp's Del does not keep the order of
// what stays, which a proxy must not change among lines of one name (RFC 9110 section 5.3): these are taken out as well
// and put back in order.
type sift struct {
	gone     []string // to be deleted
	seen     []string // to stay
	repeated []string
	lines    [][2]string // to be added: name and value
}

func (f *sift) reset() *sift {
	f.gone, f.seen, f.repeated, f.lines = f.gone[:0], f.seen[:0], f.repeated[:0], f.lines[:0]
	return f
}

// see looks at one field. goes says that it is to be deleted, with those that it names if it is Connection.
func (f *sift) see(name string, value []byte, goes bool) {
	switch {
	case goes:
		f.gone = append(f.gone, name)
		if name == "Connection" {
			f.gone = appendNamed(f.gone, value)
		}
	case slices.Contains(f.seen, name):
		if name != "Set-Cookie" && !slices.Contains(f.repeated, name) { // cookies have a place of their own
			f.repeated = append(f.repeated, strings.Clone(name))
		}
	default:
		f.seen = append(f.seen, name)
	}
}

// keep copies the lines of repeated fields.
func (f *sift) keep(peek func(name string) [][]byte) {
	for _, name := range f.repeated {
		for _, v := range peek(name) {
			f.lines = append(f.lines, [2]string{name, string(v)})
		}
	}
	f.gone = append(f.gone, f.repeated...)
}

// appendNamed appends the fields that the value of a Connection field names.
func appendNamed(names []string, value []byte) []string {
	for name := range bytes.SplitSeq(value, []byte{','}) {
		name = bytes.TrimSpace(name)
		if !bytes.EqualFold(name, []byte("close")) && !bytes.EqualFold(name, []byte("keep-alive")) {
			names = append(names, string(name))
		}
	}
	return names
}

// appendField appends text as it may stand in a header value: claims may hold anything.
func appendField(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c >= 0x20 && c != 0x7f {
			dst = append(dst, c)
		}
	}
	return dst
}

// appendUUID appends the text form of an id.
func appendUUID(dst []byte, id uuid.UUID) []byte {
	dst = append(hex.AppendEncode(dst, id[:4]), '-')
	dst = append(hex.AppendEncode(dst, id[4:6]), '-')
	dst = append(hex.AppendEncode(dst, id[6:8]), '-')
	dst = append(hex.AppendEncode(dst, id[8:10]), '-')
	return hex.AppendEncode(dst, id[10:])
}
