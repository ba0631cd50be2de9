package proxy

import (
	"github.com/google/uuid"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/mcp"
)

// decide asks the policy. Whatever is not a clear allow whose demands can be met is a denial.
func (h *Handler) decide(x *Exchange) bool {
	if x.target.public() || x.target.kind == kindLocal && h.o.Local.Public(x.Call.Route) {
		x.Decision.Obligations.CacheTTL = -1 // nobody says anything about it
		return true                          // served to anybody, by definition
	}
	if err := x.describe(); err != nil {
		return x.refuse(&Problem{Status: 503, Rule: "registry", Reason: "the registry cannot answer now", Cause: err})
	}
	x.Decision = h.o.Decider.Decide(x.context(), &x.input)
	if x.Decision.ID == uuid.Nil {
		x.Decision.ID = audit.NewID(x.Start)
	}
	said := h.copyForRecord(x)
	if x.Decision.Allow && !h.fulfillable(x) {
		x.Decision.Allow, x.Decision.Reason = false, authz.ReasonObligation
	}
	if x.Decision.Allow && !h.shadows(x) {
		h.fulfil(x)
	}
	if said != nil { // with the arguments masked as demanded
		h.o.RecordInput(&x.input, said)
	}
	if h.shadows(x) {
		return x.observe()
	}
	if !x.Decision.Allow {
		return x.refuse(h.denied(x))
	}
	return true
}

// copyForRecord returns what the policy said, before obligations change it, for Options.RecordInput; nil when nothing is
// recorded, which costs a call no allocation.
func (h *Handler) copyForRecord(x *Exchange) *authz.Decision {
	if h.o.RecordInput == nil || h.o.RecordDenials && x.Decision.Allow {
		return nil
	}
	said := x.Decision
	return &said
}

// fulfil meets those demands of an allow that must be met before anything else is done.
func (h *Handler) fulfil(x *Exchange) {
	if err := x.redact(); err != nil {
		x.Decision.Allow, x.Decision.Reason, x.Decision.Err = false, authz.ReasonObligation, err
	}
}

// describe fills the input document from the exchange. Its error means that the object of the call cannot be known.
func (x *Exchange) describe() (err error) {
	in := &x.input
	*in = authz.Input{
		Principal: x.Principal, Call: &x.Call, Phase: authz.PhaseCall, Tool: x.tool, Time: x.Start,
		Resource: authz.Resource{Type: x.Call.ResourceType, ID: x.Call.URI},
		Request:  authz.Request{Method: mcp.Text(x.ctx.Method()), Path: x.path, ClientIP: x.Client, Headers: x.policyHeaders()},
	}
	if in.Resource.ID == "" {
		in.Resource.ID = x.Call.Name
	}
	if x.target.kind == kindLocal {
		in.Resource, err = x.h.o.Local.Describe(x.context(), x.Principal, &x.Call)
	}
	if x.target.server != nil {
		in.Server = x.target.server.policy
	}
	return err
}

// policyHeaders returns the headers that the operator lets policies see. The lines of a repeated one are joined, as whoever
// reads the request may do.
func (x *Exchange) policyHeaders() map[string]string {
	names := x.h.o.PolicyHeaders
	if len(names) == 0 {
		return nil
	}
	m := make(map[string]string, len(names))
	for _, n := range names {
		if v := fieldOf(x.ctx.Request.Header.PeekAll(n)); v != "" {
			m[n] = v
		}
	}
	return m
}

// fulfillable reports whether the demands of an allow can be met on this exchange.
func (h *Handler) fulfillable(x *Exchange) bool {
	return x.redactable() && h.limitable(x, x.Decision.Obligations.Limit)
}

func (h *Handler) denied(x *Exchange) *Problem {
	d := &x.Decision
	switch d.Reason {
	case authz.ReasonUnavailable, authz.ReasonUndefined, authz.ReasonObligation: // the gateway's own words
		setDefault(&d.Rule, d.Reason)
	}
	setDefault(&d.Rule, "policy")
	setDefault(&d.Reason, "denied by policy")
	p := &Problem{Status: 403, Rule: d.Rule, Reason: d.Reason, Outcome: audit.OutcomeDenied, Cause: d.Err}
	if h.stepsUp(x, d) {
		p.Challenge = h.stepUp(x, d.Scopes)
		return p // in HTTP, whatever else is configured: clients act on the challenge alone
	}
	if x.Call.Method == "tools/call" && x.Call.Kind == mcp.Request {
		switch {
		case h.o.HideUnknown && d.Err == nil && !h.visible(x, "tools", x.Call.Name):
			p.Unknown, p.Code, p.Reason = true, mcp.CodeInvalidParams, `unknown tool "`+x.Call.Name+`"`
		case h.o.DenyAsToolError:
			p.ToolError = true
		}
	}
	return p
}

// visible asks the policy whether the caller may see one item of a list. It is the question that calling it would ask, in
// another phase, so that a list never shows what a call would be denied by role or level.
func (h *Handler) visible(x *Exchange, list, id string) bool {
	if list == "tasks" {
		mine, err := h.hasTask(x, id)
		return mine && err == nil
	}
	in := x.aside()
	in.Phase = authz.PhaseList
	in.Tool, in.Resource = authz.Tool{}, authz.Resource{ID: id}
	switch list {
	case "tools":
		in.Action, in.Resource.Type, in.Tool = "tool:invoke", "tool", x.target.server.tool(id)
	case "prompts":
		in.Action, in.Resource.Type = "prompt:get", "prompt"
	case "resources", "resourceTemplates":
		in.Action, in.Resource.Type = "resource:read", "resource"
	}
	if h.shadows(x) {
		return true
	}
	d := h.o.Decider.Decide(x.context(), in)
	return d.Allow || h.stepsUp(x, &d) // an item that is one consent away is shown, or nobody would ask for it
}
