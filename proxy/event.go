package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// fill makes the event of an exchange: the only place where one is built. An exchange fills it more than once when it has an
// intent or an open event; what it says of caller and arguments is the same each time, and costly to say.
func (x *Exchange) fill(phase audit.Phase, outcome audit.Outcome) {
	e := &x.event
	req := &x.ctx.Request
	*e = audit.Event{
		PrincipalAttributes: e.PrincipalAttributes, Arguments: e.Arguments, ArgumentsHash: e.ArgumentsHash,
		ID: x.ID, Time: x.Start, ClassUID: x.class(), EventType: x.eventType(outcome), Phase: phase, Outcome: outcome,
		ExchangeID: x.ID, DecisionID: x.Decision.ID, PolicyRevision: x.Decision.Revision, Tier: x.Decision.Tier,
		Rule: x.Decision.Rule, Reason: x.Decision.Reason, Shadow: x.verdict,
		Action: x.Call.Action, ResourceType: x.Call.ResourceType, Method: x.Call.Method, Resource: x.resource(),
		RequestID: mcp.Text(x.Call.ID), IP: x.Client, UserAgent: mcp.Text(req.Header.UserAgent()),
		HTTPMethod: mcp.Text(x.ctx.Method()), Path: x.path, ProtocolVersion: x.Call.ProtocolVersion,
		CacheStatus: x.cache.status, BytesIn: int64(len(req.Body())), Environment: x.h.o.Environment,
		UpstreamUS: x.upstreamTime.Microseconds(),
	}
	if phase == audit.PhaseClose { // the second event of an exchange has an id and a time of its own
		e.Time = x.h.o.Now()
		e.ID = audit.NewID(e.Time)
	}
	if x.Decision.ID != uuid.Nil {
		e.PolicyID, e.Decision = "sark/decision", "deny"
		if x.Decision.Allow {
			e.Decision = "allow"
		}
	}
	if x.problem != nil && x.problem.Unread {
		e.HTTPMethod = ""
	}
	if x.target != nil && x.target.kind == kindMCP && x.Call.Kind != mcp.Plain {
		e.Era = x.Call.Era.String()
	}
	x.fillServer(e)
	x.fillPrincipal(e)
	x.fillRequest(e)
	if phase != audit.PhaseOpen {
		x.fillResult(e, outcome)
	}
	e.Severity = x.severity(outcome)
}

func (x *Exchange) fillServer(e *audit.Event) {
	if x.target != nil && x.target.server != nil {
		s := x.target.server
		e.ServerID, e.ServerName, e.Sensitivity = s.policy.ID, s.name, s.policy.SensitivityLevel
	}
	if x.Call.ResourceType == "tool" {
		e.ToolName = x.Call.Name
		e.Sensitivity = x.tool.SensitivityLevel
	}
	if x.Call.ResourceType == "server" {
		e.ServerID, e.Sensitivity = x.Call.Name, x.input.Resource.SensitivityLevel
	}
}

// resource is what a call other than of a tool is about.
func (x *Exchange) resource() string {
	switch {
	case x.Call.URI != "":
		return x.Call.URI
	case x.Call.ResourceType == "tool":
		return ""
	}
	return x.Call.Name
}

func (x *Exchange) fillPrincipal(e *audit.Event) {
	p := x.Principal
	if p == nil {
		e.AuthMethod = string(authn.MethodNone)
		return
	}
	e.UserID, e.UserEmail, e.PrincipalType, e.UserRoles = p.ID, p.Email, string(p.Type), p.Roles
	e.AuthMethod, e.ClientID = string(p.Method), p.ClientID
	if p.KeyID != "" {
		e.ClientID = p.KeyID
	}
	if e.PrincipalAttributes == nil && (p.Issuer != "" || len(p.Teams) > 0 || len(p.Scopes) > 0) {
		x.attributes = appendAttributes(x.attributes[:0], p)
		e.PrincipalAttributes = x.attributes
	}
}

// appendAttributes appends a JSON object with its keys in order.
func appendAttributes(b []byte, p *authn.Principal) []byte {
	b = mcp.AppendString(append(b, `{"issuer":`...), p.Issuer)
	b = appendStrings(append(b, `,"scopes":`...), p.Scopes)
	b = appendStrings(append(b, `,"teams":`...), p.Teams)
	return append(b, '}')
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = mcp.AppendString(b, s)
	}
	return append(b, ']')
}

func (x *Exchange) fillRequest(e *audit.Event) {
	hd := &x.ctx.Request.Header
	if id := hd.Peek("Mcp-Session-Id"); len(id) > 0 {
		sum := sha256.Sum256(id)
		var text [16]byte
		hex.Encode(text[:], sum[:8])
		e.SessionID = x.keep(text[:])
	}
	if tp := hd.Peek("Traceparent"); len(tp) == 55 { // W3C Trace Context section 3.2
		e.TraceID, e.SpanID = mcp.Text(tp[3:35]), mcp.Text(tp[36:52])
	}
	if x.Call.Arguments != nil {
		if f := x.h.o.HashArguments; f != nil && e.ArgumentsHash == "" {
			e.ArgumentsHash = f(x.Call.Arguments)
		}
		if f := x.h.o.RecordArguments; f != nil && e.Arguments == nil {
			e.Arguments = f(x.Call.Arguments)
		}
	}
}

func (x *Exchange) fillResult(e *audit.Event, outcome audit.Outcome) {
	e.DurationUS = x.h.o.Now().Sub(x.Start).Microseconds()
	e.StatusCode, e.BytesOut = int32(x.out.status), x.out.bytes // #nosec G115 -- small
	if x.wantsRPC() && (x.problem == nil || !x.problem.ToolError) {
		e.RPCCode = int32(x.out.rpcCode) // #nosec G115 -- 32 bits by mcp.ParseReply, or ours
	}
	e.Success = outcome == audit.OutcomeAllowed && !x.out.failed
	if p := x.problem; p != nil {
		if x.Decision.ID == uuid.Nil || x.Decision.Allow {
			e.Rule, e.Reason = p.Rule, p.Reason
		}
		if p.Cause != nil {
			e.ErrorMessage = p.Cause.Error()
		}
	}
	if e.ErrorMessage == "" && x.verdict != "" && x.Decision.Err != nil {
		e.ErrorMessage = x.Decision.Err.Error()
	}
	e.Details = x.details()
}

// details is what has no column: a JSON object with its keys in order, or nil.
func (x *Exchange) details() []byte {
	if len(x.out.told) > 0 { // a write of the API, which has no counters
		return x.out.told
	}
	b := x.scratch[:0]
	add := func(key string, n int) {
		if n == 0 {
			return
		}
		sep := byte(',')
		if len(b) == 0 {
			sep = '{'
		}
		b = strconv.AppendInt(append(append(append(b, sep, '"'), key...), '"', ':'), int64(n), 10)
	}
	add("frames", x.out.frames)
	add("frames_dropped", x.out.dropped)
	add("items", x.out.items)
	add("items_hidden", x.out.hidden)
	add("input_responses", x.inputResponses())
	add("server_requests", x.out.asked)
	add("server_requests_denied", x.out.refused)
	if len(b) == 0 {
		return nil
	}
	x.scratch = append(b, '}')
	return x.scratch
}

// class is the OCSF class of the event (OCSF 1.9.0).
func (x *Exchange) class() int32 {
	switch {
	case x.Principal == nil:
		return 3002 // Authentication
	case x.changesRegistry():
		return 3004 // Entity Management
	}
	return 6003 // API Activity
}

// changesRegistry reports whether the call asks for a write to the registry.
func (x *Exchange) changesRegistry() bool {
	switch x.Call.Action {
	case "server:register", "server:update", "server:delete":
		return true
	}
	return false
}

// eventType is the stable name of what happened. What was allowed and then ended early, by the client or by the upstream,
// is named after what was done; its outcome says how it ended.
func (x *Exchange) eventType(outcome audit.Outcome) string {
	p := x.problem
	broken := x.Decision.Allow && (outcome == audit.OutcomeClientGone || outcome == audit.OutcomeUpstreamFailed)
	switch {
	case p != nil && p.Status == 401:
		return "authentication_failed"
	case x.Decision.ID != uuid.Nil && !x.Decision.Allow:
		return "authorization_denied"
	case p != nil && !broken:
		return "request_refused"
	case x.Call.Method == "tools/call":
		return "tool_invoked"
	case x.Call.Action == "server:register":
		return "server_registered"
	case x.Call.Action == "server:update":
		return "server_updated"
	case x.Call.Action == "server:delete":
		return "server_decommissioned"
	}
	return "authorization_allowed"
}

// severity ranks the event: refusals above what was allowed, effects on sensitive tools above reads; a policy may raise it.
func (x *Exchange) severity(outcome audit.Outcome) audit.Severity {
	level := audit.SeverityLow
	switch {
	case x.changesRegistry() && rank(audit.Severity(x.input.Resource.SensitivityLevel)) >= rank(audit.SeverityHigh):
		level = audit.SeverityHigh
	case outcome == audit.OutcomeDenied || outcome == audit.OutcomeError || x.changesRegistry():
		level = audit.SeverityMedium
	case x.tool.SensitivityLevel == "critical":
		level = audit.SeverityHigh
	case x.tool.SensitivityLevel == "high":
		level = audit.SeverityMedium
	}
	if raised := audit.Severity(x.Decision.Obligations.Severity); rank(raised) > rank(level) {
		return raised
	}
	return level
}

func rank(s audit.Severity) int {
	switch s {
	case audit.SeverityMedium:
		return 1
	case audit.SeverityHigh:
		return 2
	case audit.SeverityCritical:
		return 3
	}
	return 0
}
