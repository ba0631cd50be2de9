package proxy

import (
	"strings"
	"time"

	"sark/internal/authn"
	"sark/internal/mcp"
)

// authenticate finds out who asks. Routes that are served to anybody get the named anonymous principal.
func (h *Handler) authenticate(x *Exchange) bool {
	if x.target.public() {
		x.Principal = authn.Anonymous(nil)
		return true
	}
	if x.target.kind == kindLocal && !h.route(x) {
		return false
	}
	hd := &x.ctx.Request.Header
	c := authn.Credentials{Authorization: hd.Peek("Authorization"), APIKey: hd.Peek("X-API-Key")}
	if x.target.kind == kindLocal && len(c.Authorization) == 0 && len(c.APIKey) == 0 && h.o.Local.Public(x.Call.Route) {
		x.Principal = authn.Anonymous(nil)
		return true
	}
	if c.Authorization == nil && c.APIKey == nil {
		c.Certificate = peerCertificate(x.ctx.Conn())
	}
	p, err := h.o.Authenticator.Authenticate(x.context(), c)
	if err != nil {
		return x.refuse(h.unauthenticated(x, err))
	}
	x.Principal = p
	return true
}

// route asks the local handler what a request is about. Nothing of the request is trusted before the decision.
func (h *Handler) route(x *Exchange) bool {
	call, status := h.o.Local.Route(mcp.Text(x.ctx.Method()), x.path, x.ctx.Request.Body())
	switch status {
	case 0:
		x.Call = call
		return true
	case 405:
		return x.refuse(&Problem{Status: 405, Rule: "verb", Reason: "method not allowed", Allow: h.o.Local.Allow(x.path)})
	}
	return x.refuse(&Problem{Status: 404, Rule: "path", Reason: "no such path"})
}

// unauthenticated is the problem of a refused credential: 401 with a challenge (RFC 6750 section 3, RFC 9728 section 5.1),
// 400 for two credentials at once, 429 when the address had too many refused.
func (h *Handler) unauthenticated(x *Exchange, err error) *Problem {
	code := authn.CodeOf(err)
	switch code {
	case authn.CodeBothCredentials:
		return &Problem{Status: 400, Rule: code, Reason: "send either Authorization or X-API-Key, not both", Cause: err}
	case authn.CodeUnavailable:
		return &Problem{Status: 503, Rule: code, Reason: "credentials cannot be checked now", Retry: 5 * time.Second, Cause: err}
	}
	if h.o.AuthFailures != nil && code != authn.CodeNoCredential {
		if ok, retry := h.o.AuthFailures.Allow(x.Client.String(), x.Start); !ok {
			return &Problem{Status: 429, Rule: "auth_failures", Reason: "too many refused credentials", Retry: max(retry, time.Second), Cause: err}
		}
	}
	return &Problem{Status: 401, Rule: code, Reason: "a valid credential is required", Challenge: h.challenge(x, code), Cause: err}
}

// quotable drops what cannot stand in a quoted string.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r < 0x20 {
			return -1
		}
		return r
	}, s)
}
