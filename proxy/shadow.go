package proxy

import "sark/authz"

// Verdicts in the shadow column of the trail.
const (
	verdictAllow = "allow"
	verdictDeny  = "deny"
)

// shadows reports whether an exchange passes whatever the policy says (authz.mode: shadow). The management API never does: it
// can change what is decided.
func (h *Handler) shadows(x *Exchange) bool { return h.o.Shadow && x.target.kind != kindLocal }

// observe lets an exchange pass and keeps what would have become of it. Nothing that the policy demands is done.
func (x *Exchange) observe() bool {
	d := &x.Decision
	x.verdict = verdictDeny
	if d.Allow {
		x.verdict = verdictAllow
	}
	d.Allow, d.Obligations = true, authz.Obligations{CacheTTL: -1}
	x.limits = limitState{}
	return true
}
