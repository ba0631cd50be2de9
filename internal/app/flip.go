package app

import (
	"time"

	"go.uber.org/zap"

	"sark/authz"
	"sark/internal/audit"
)

// flipEvent is the event type of a decision that the shadow policy would turn.
const flipEvent = "policy_shadow_flip"

// recordFlip records a decision that the shadow policy would turn, in an event of its own: the one of its exchange may be
// written already, and must not wait for this. Both have the same decision_id. Decision is what was in force; shadow, rule,
// reason and revision are the candidate's.
func (g *gateway) recordFlip(f authz.Flip) {
	e := eventOfFlip(&f, time.Now().UTC())
	ticket, err := g.spool.Reserve(nil)
	if err != nil {
		g.log.Warn("shadow verdict not recorded", zap.Stringer("decision_id", f.Was.ID), zap.Error(err))
		return
	}
	ticket.Record(&e)
}

func eventOfFlip(f *authz.Flip, now time.Time) audit.Event {
	in, who := f.Input, f.Input.Principal
	action := in.Action
	if action == "" {
		action = in.Call.Action
	}
	e := audit.Event{
		ID: audit.NewID(now), Time: now, ClassUID: 6003, EventType: flipEvent, Severity: audit.SeverityLow, Phase: audit.PhaseSingle,
		DecisionID: f.Was.ID, Decision: word(f.Was.Allow), Shadow: word(f.Would.Allow), Rule: f.Would.Rule, Reason: f.Would.Reason,
		PolicyID: "sark/decision", PolicyRevision: f.Would.Revision, Tier: f.Would.Tier,
		UserID: who.ID, UserEmail: who.Email, PrincipalType: string(who.Type), UserRoles: who.Roles, AuthMethod: string(who.Method),
		Action: action, ResourceType: in.Call.ResourceType, Method: in.Call.Method, Resource: in.Resource.ID,
		ServerID: in.Server.ID, ServerName: in.Server.Name, ToolName: in.Tool.Name, Sensitivity: in.Server.SensitivityLevel,
		IP: in.Request.ClientIP, HTTPMethod: in.Request.Method, Path: in.Request.Path, ProtocolVersion: in.Call.ProtocolVersion,
	}
	if in.Tool.Name != "" {
		e.Resource, e.Sensitivity = "", in.Tool.SensitivityLevel
	}
	return e
}

// word is how the trail writes a verdict.
func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
