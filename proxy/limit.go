package proxy

import (
	"time"

	"sark/internal/mcp"
)

// limit spends from the caller's bucket. Denied calls never come here, and cache hits do not either. Answers to a
// server's own requests and the end of a session are free: refusing them would leave the server waiting.
func (h *Handler) limit(x *Exchange) bool {
	if h.o.Limiter == nil || x.Call.Kind == mcp.Response || x.Call.Action == mcp.ActionEnd || x.target.kind == kindMetadata {
		return true
	}
	ok, retry := h.o.Limiter.Allow(mcp.Text(x.Principal.Fingerprint[:]), x.Start)
	if ok {
		return true
	}
	return x.refuse(&Problem{Status: 429, Rule: "rate_limit", Reason: "rate limit exceeded", Retry: max(retry, time.Second)})
}
