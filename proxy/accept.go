package proxy

import (
	"bytes"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sark/internal/audit"
	"sark/internal/mcp"
)

// accept checks what can be checked before knowing who asks: room for one more request, framing, the exact raw path, the
// verb, Host and Origin. It reads the raw header lines once: fasthttp's getters would hide a repeated field.
func (h *Handler) accept(x *Exchange) bool {
	req := &x.ctx.Request
	h.locate(x)
	if x.part == nil && !h.admit(x) { // the messages of a batch are within it
		return x.refuse(&Problem{Status: 503, Rule: "overload", Reason: "too many requests are in progress", Retry: time.Second})
	}
	if p := framing(&req.Header); p != nil {
		return x.refuse(p)
	}
	if p := h.looped(x); p != nil {
		return x.refuse(p)
	}
	if x.target == nil {
		return x.refuse(h.lost(x))
	}
	if !h.hosts.allows(x.ctx.LocalAddr(), req.Header.Host(), req.Header.Peek("Origin")) {
		return x.refuse(&Problem{Status: 403, Rule: "origin", Reason: "Host or Origin is not allowed"})
	}
	if len(req.Body()) > h.o.MaxBody {
		return x.refuse(&Problem{Status: 413, Rule: "body_size", Reason: "request body is too large", Close: true})
	}
	return h.verb(x)
}

// admit waits for room among the requests that are served at once.
func (h *Handler) admit(x *Exchange) bool {
	x.admitted = h.gate.enter(h.o.MaxConcurrent, h.o.ConcurrentWait)
	return x.admitted
}

// locate finds where the raw path of a request leads, in redirect mode at the destination of its connection.
func (h *Handler) locate(x *Exchange) {
	path, _, _ := bytes.Cut(x.ctx.Request.Header.RequestURI(), []byte{'?'})
	x.path, x.target = x.keep(path), h.routes.find(x.ctx.LocalAddr(), path)
}

// verb checks the HTTP method of the targets that fix it.
func (h *Handler) verb(x *Exchange) bool {
	m := mcp.Text(x.ctx.Method())
	if h.preflight(x) {
		x.target = &target{kind: kindPreflight}
		return true
	}
	switch x.target.kind {
	case kindMCP:
		if m == "POST" {
			if !jsonType(x.ctx.Request.Header.ContentType()) {
				return x.refuse(&Problem{Status: 415, Rule: "media_type", Reason: "Content-Type must be application/json"})
			}
			return true
		}
		if m != "GET" && m != "DELETE" || !h.eras.legacy {
			return x.refuse(&Problem{Status: 405, Rule: "verb", Reason: "method not allowed", Allow: h.eras.verbs()})
		}
	case kindMetadata:
		if m != "GET" && m != "HEAD" {
			return x.refuse(&Problem{Status: 405, Rule: "verb", Reason: "method not allowed", Allow: "GET, HEAD"})
		}
	case kindPassthrough, kindLocal, kindPreflight:
	}
	return true
}

// jsonType reports whether a Content-Type is application/json, with any parameters.
func jsonType(v []byte) bool {
	v, _, _ = bytes.Cut(v, []byte{';'})
	return bytes.EqualFold(bytes.TrimSpace(v), []byte("application/json"))
}

// single gives a bit to each request field that must not be repeated, since two readers could each trust another one. The
// names are in lower case.
var single = map[string]uint16{
	"host": fieldHost, "content-length": fieldLength, "transfer-encoding": fieldEncoding,
	"authorization": 1 << 3, "x-api-key": 1 << 4, "content-type": 1 << 5, "origin": 1 << 6, "last-event-id": 1 << 7,
	"mcp-session-id": 1 << 8, "mcp-protocol-version": 1 << 9, "mcp-method": 1 << 10, "mcp-name": 1 << 11,
}

// The fields that frame a request.
const (
	fieldHost uint16 = 1 << iota
	fieldLength
	fieldEncoding
)

// longestSingle is the length of the longest name in single.
const longestSingle = len("mcp-protocol-version")

// version refuses what is no HTTP/1.1. A client of HTTP/1.0 cannot read chunks, and whether a reply needs them is not known
// before a call had its effect.
func version(hd *fasthttp.RequestHeader) *Problem {
	switch {
	case hd.IsHTTP11():
		return nil
	case bytes.HasPrefix(hd.Protocol(), []byte("HTTP/1.")):
		return &Problem{Status: 426, Rule: "http_version", Reason: "HTTP/1.1 is required", Upgrade: "HTTP/1.1", Close: true}
	}
	return &Problem{Status: 505, Rule: "http_version", Reason: "HTTP/1.1 is required", Outcome: audit.OutcomeDenied, Close: true}
}

// framing refuses what could be read in two ways (RFC 9112 sections 2.2, 3.2, 5, 6.3) and repeated fields that decide.
func framing(hd *fasthttp.RequestHeader) *Problem {
	if p := version(hd); p != nil {
		return p
	}
	if uri := hd.RequestURI(); len(uri) == 0 || uri[0] != '/' {
		return malformed("request target must be a path")
	}
	var seen uint16
	fields := 0
	for raw := hd.RawHeaders(); len(raw) > 0; fields++ {
		var line []byte
		line, raw, _ = bytes.Cut(raw, []byte{'\n'})
		if string(line) == "\r" {
			break
		}
		field, reason := headerLine(hd, line)
		switch {
		case reason != "":
			return malformed(reason)
		case seen&field != 0:
			return malformed("header " + fieldName(line) + " is repeated")
		}
		seen |= field
	}
	switch {
	case fields > maxFields:
		return &Problem{Status: 431, Rule: "header_size", Reason: "too many header fields", Close: true}
	case seen&fieldLength != 0 && seen&fieldEncoding != 0:
		return malformed("Content-Length together with Transfer-Encoding")
	case seen&fieldHost == 0:
		return malformed("Host header is missing")
	case seen&fieldEncoding != 0 && hasTrailers(hd):
		return malformed("trailer fields are not accepted")
	}
	return nil
}

// maxFields is how many fields a request's header may have: what each of them costs on its way is more than its bytes.
const maxFields = 128

// hasTrailers reports whether fields came behind the chunks of a body, or were announced. fasthttp's getters find them like
// fields of the header, which nobody has looked at: they could repeat one that decides (RFC 9110 section 6.5.1).
func hasTrailers(hd *fasthttp.RequestHeader) bool {
	for range hd.Trailers() {
		return true
	}
	return false
}

func malformed(reason string) *Problem {
	return &Problem{Status: 400, Rule: "framing", Reason: reason, Close: true}
}

// headerLine looks at one line of a request's header. It returns the bit of a field that must not be repeated, 0 for any
// other, and what is wrong with the line, or "".
func headerLine(hd *fasthttp.RequestHeader, line []byte) (field uint16, reason string) {
	name, _, ok := bytes.Cut(line, []byte{':'})
	switch {
	case !ok || line[len(line)-1] != '\r':
		return 0, "a header line does not end in CR LF"
	case len(name) == 0 || bytes.IndexByte(name, ' ') >= 0 || bytes.IndexByte(name, '\t') >= 0:
		return 0, "a header name holds white space, or a line is folded"
	}
	var buf [longestSingle]byte
	if len(name) <= len(buf) {
		low := lower(buf[:0], name)
		if field = single[string(low)]; field != 0 {
			return field, ""
		}
		switch string(low) {
		case "upgrade":
			return 0, "Upgrade is not supported"
		case "connection":
			return 0, namesDeciding(line[len(name)+1:])
		}
	}
	if repeatedMCP(hd, name) {
		return 0, "header " + string(name) + " is repeated"
	}
	return 0, ""
}

// namesDeciding says that a Connection field names one that decides, or "". Such a field is for the server too, and must not
// be named there (RFC 9110 section 7.6.1): the server would get another request than the one that was decided.
func namesDeciding(value []byte) (reason string) {
	for name := range bytes.SplitSeq(value, []byte{','}) {
		var buf [longestSingle]byte
		if name = bytes.TrimSpace(name); len(name) <= len(buf) && single[string(lower(buf[:0], name))] != 0 {
			return "Connection names " + string(name)
		}
	}
	return ""
}

func fieldName(line []byte) string {
	name, _, _ := bytes.Cut(line, []byte{':'})
	return string(name)
}

// repeatedMCP reports whether any other Mcp-* field is repeated, Mcp-Param-* among them.
func repeatedMCP(hd *fasthttp.RequestHeader, name []byte) bool {
	const prefix = "mcp-"
	return len(name) >= len(prefix) && bytes.EqualFold(name[:len(prefix)], []byte(prefix)) && len(hd.PeekAll(string(name))) > 1
}

func lower(dst, name []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// hostPolicy says which Host and Origin headers are accepted, against DNS rebinding (MCP "Security warning"): whoever
// connects over loopback must name a loopback host, and a browser's Origin must be the host it asks. Operators extend both.
type hostPolicy struct {
	hosts, origins map[string]bool
}

func newHostPolicy(hosts, origins []string) hostPolicy {
	p := hostPolicy{hosts: map[string]bool{}, origins: map[string]bool{}}
	for _, h := range hosts {
		p.hosts[strings.ToLower(h)] = true
	}
	for _, o := range origins {
		p.origins[strings.ToLower(o)] = true
	}
	return p
}

func (p *hostPolicy) allows(local net.Addr, host, origin []byte) bool {
	name := hostname(mcp.Text(host))
	if !p.host(local, mcp.Text(host), name) {
		return false
	}
	if len(origin) == 0 {
		return true
	}
	o := strings.ToLower(string(origin))
	if p.origins[o] || p.origins["*"] {
		return true
	}
	_, rest, ok := strings.Cut(o, "://")
	return ok && rest == strings.ToLower(string(host))
}

func (p *hostPolicy) host(local net.Addr, host, name string) bool {
	if len(p.hosts) > 0 && (p.hosts[strings.ToLower(name)] || p.hosts[strings.ToLower(host)] || p.hosts["*"]) {
		return true
	}
	loopback := strings.EqualFold(name, "localhost") || net.ParseIP(name).IsLoopback()
	if a, ok := local.(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		return len(p.hosts) == 0 // addresses other than loopback are not reached by rebinding alone
	}
	return loopback
}

// hostname strips the port and the brackets of an IPv6 literal.
func hostname(host string) string {
	if strings.HasPrefix(host, "[") {
		name, _, _ := strings.Cut(host[1:], "]")
		return name
	}
	name, _, _ := strings.Cut(host, ":")
	return name
}
