package proxy

import (
	"context"
	"strconv"
	"time"

	"sark/authz"
	"sark/internal/limit"
	"sark/internal/mcp"
)

// Limiter spends one call from every quota, or from none when one of them has no room. There is no error: what cannot be
// counted for all gateways is counted for this one.
type Limiter interface {
	Take(ctx context.Context, quotas []limit.Quota, now time.Time) limit.Verdict
}

// Rates are how fast calls are forwarded; a zero Rate sets no limit.
type Rates struct {
	// Principal is for all calls of one principal, however many credentials it has had.
	Principal limit.Rate
	// Server is for the calls of everybody to one server.
	Server limit.Rate
	// Tool is for the calls of one principal to one tool.
	Tool limit.Rate
}

// Names of the limits in headers, metrics and policies. A limit that a policy demands has the name policy.
const (
	limitPrincipal = authz.LimitPrincipal
	limitServer    = authz.LimitServer
	limitTool      = authz.LimitTool
	limitPolicy    = "policy"
)

// limitState is what limit found out.
type limitState struct {
	demanded limit.Rate // by the policy
	quotas   [limit.MaxQuotas]limit.Quota
	n        int
	verdict  limit.Verdict
}

// limit spends from the quotas of a call. Denied calls never come here, and cache hits do not either. Answers to a server's
// own requests and the end of a session are free: refusing them would leave the server waiting.
func (h *Handler) limit(x *Exchange) bool {
	if h.o.Limiter == nil || x.Call.Kind == mcp.Response || x.Call.Action == mcp.ActionEnd || x.target.public() {
		return h.room(x)
	}
	x.quota(limitPrincipal, limitPrincipal, h.o.Rates.Principal)
	if s := x.target.server; s != nil {
		x.quota(limitServer, limitServer, s.rate)
	}
	if x.callsTool() {
		x.quota(limitTool, limitTool, h.o.Rates.Tool)
	}
	if l := x.Decision.Obligations.Limit; l != nil {
		x.quota(limitPolicy, l.Key, x.limits.demanded)
	}
	if x.limits.n == 0 {
		return h.room(x)
	}
	x.limits.verdict = h.o.Limiter.Take(x.context(), x.limits.quotas[:x.limits.n], x.Start)
	if x.limits.verdict.OK {
		return h.room(x)
	}
	retry := max(x.limits.verdict.Retry, time.Second)
	return x.refuse(&Problem{Status: 429, Rule: "rate_limit", Reason: "rate limit exceeded", Retry: retry})
}

// callsTool reports whether the exchange calls a tool of a server.
func (x *Exchange) callsTool() bool {
	return x.target.server != nil && x.target.kind == kindMCP && x.Call.Method == "tools/call" && x.Call.Name != ""
}

// limitable reports whether the limit that a policy demands can be kept on this exchange, and remembers its rate.
func (h *Handler) limitable(x *Exchange, l *authz.Limit) bool {
	if l == nil {
		return true
	}
	if h.o.Limiter == nil || l.Key == limitServer && x.target.server == nil || l.Key == limitTool && !x.callsTool() {
		return false
	}
	rate, err := limit.NewRate(l.Rate, l.Period, l.Burst)
	if err != nil {
		x.Decision.Err = err
		return false
	}
	x.limits.demanded = rate
	return true
}

// quota adds a limit to those of the call: counted is what it counts.
func (x *Exchange) quota(name, counted string, rate limit.Rate) {
	if rate.IsZero() {
		return
	}
	b := appendSized(x.scratch[:0], counted)
	if counted != limitServer {
		b = appendOwner(b, x.Principal)
	}
	if counted != limitPrincipal {
		b = appendSized(b, x.target.server.name)
	}
	if counted == limitTool {
		b = appendSized(b, x.Call.Name)
	}
	x.scratch = b
	x.limits.quotas[x.limits.n] = limit.Quota{Name: name, Key: x.keep(b), Rate: rate}
	x.limits.n++
}

// limitHeaders tells the caller about its limits, as draft-ietf-httpapi-ratelimit-headers-10 wants it: every policy with
// its quota of calls q in w seconds, and of the tightest how many calls remain (r) and in how many seconds all do (t). Both
// fields are lists, to which an upstream may have added its own.
func (x *Exchange) limitHeaders() {
	hd, l := &x.ctx.Response.Header, &x.limits
	b := x.scratch[:0]
	for i := range l.n {
		q := &l.quotas[i]
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, '"'), q.Name...), `";q=`...)
		b = strconv.AppendInt(b, int64(q.Rate.Burst()), 10)
		b = strconv.AppendInt(append(b, ";w="...), seconds(q.Rate.Window()), 10)
	}
	hd.AddBytesKV([]byte(headerLimitPolicy), b)
	b = append(append(append(b[:0], '"'), l.quotas[l.verdict.Tightest].Name...), `";r=`...)
	b = strconv.AppendInt(b, int64(l.verdict.Remaining), 10)
	b = strconv.AppendInt(append(b, ";t="...), seconds(l.verdict.Reset), 10)
	hd.AddBytesKV([]byte(headerLimit), b)
	x.scratch = b
}

// Names of the headers about limits, in canonical form.
const (
	headerLimitPolicy = "Ratelimit-Policy"
	headerLimit       = "Ratelimit"
)

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
