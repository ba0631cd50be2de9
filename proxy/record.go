package proxy

import (
	"time"

	"go.uber.org/zap"

	"sark/cachemw"
	"sark/internal/audit"
	"sark/internal/mcp"
)

// reserve takes room in the audit spool for what will be recorded, and records an intent for calls that may have effects,
// before the first byte goes upstream. Without room nothing is forwarded.
func (h *Handler) reserve(x *Exchange) bool {
	var intent *audit.Event
	if h.intends(x) {
		x.fill(audit.PhaseSingle, "")
		intent = &x.event
	}
	t, err := h.o.Recorder.Reserve(intent)
	if err != nil {
		return x.refuse(&Problem{Status: 503, Rule: "audit_full", Reason: "the audit trail cannot take more events", Retry: 5 * time.Second, Cause: err})
	}
	x.ticket = t
	return true
}

// intends reports whether an exchange records an intent.
func (h *Handler) intends(x *Exchange) bool {
	switch h.o.Intent {
	case "all":
		return true
	case "none":
		return false
	}
	return !x.Call.ReadOnly && !(x.tool.Known && x.tool.ReadOnly)
}

// open records the open event of an exchange that lasts.
func (h *Handler) open(x *Exchange) {
	if x.opened || x.ticket == nil {
		return
	}
	x.opened = true
	x.fill(audit.PhaseOpen, "")
	x.ticket.Record(&x.event)
}

// finish records the exchange, once, and gives it back.
func (h *Handler) finish(x *Exchange, outcome audit.Outcome) {
	if x.recorded {
		panic("BUG: exchange finished twice")
	}
	x.recorded = true
	if x.part != nil {
		*x.part = part{id: x.Call.ID, answers: x.Call.Kind == mcp.Request}
	}
	if x.cache.class != "" {
		h.land(x, cachemw.Entry{}, false)
		h.o.Cache.Count(x.cache.class, x.cache.server, x.cache.result)
	}
	phase := audit.PhaseSingle
	if x.opened {
		phase = audit.PhaseClose
	}
	x.fill(phase, outcome)
	if x.ticket == nil { // refused before or by reserve
		h.o.Recorder.Refused(&x.event)
	} else {
		x.ticket.Record(&x.event)
	}
	h.metrics.observe(x, outcome)
	if p := x.problem; p != nil && p.Cause != nil && p.Status >= 500 {
		h.o.Log.Warn("request failed", zap.Stringer("exchange_id", x.ID), zap.String("rule", p.Rule), zap.Error(p.Cause))
	}
	h.end(x)
}
