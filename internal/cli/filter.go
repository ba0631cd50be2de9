package cli

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/pflag"

	"sark/internal/audit"
	"sark/store"
)

// eventFlags are the flags that choose events of the trail: those of query, tail and export, and the filters of the API.
type eventFlags struct {
	filter                   store.EventFilter
	decision, outcome, phase *choice
	from, to                 *moment
}

// addEventFlags defines them.
func (p *program) addEventFlags(f *pflag.FlagSet) *eventFlags {
	e := &eventFlags{from: &moment{now: p.now}, to: &moment{now: p.now}}
	x := &e.filter
	addMoment(f, e.from, "from", "events from this RFC 3339 `TIME` on, or since 15m, 2h, 7d ago; --since is the same")
	addMoment(f, e.to, "to", "events before this RFC 3339 `TIME`, or before 15m, 2h, 7d ago; --until is the same")
	f.StringVar(&x.UserID, "user", "", "`ID` of the principal")
	f.StringVar(&x.Server, "server", "", "`NAME` of the server, or its id in the registry")
	f.StringVar(&x.Tool, "tool", "", "`NAME` of the tool")
	e.decision = addChoice(f, "decision", "", "how the policy decided", "allow", "deny")
	e.outcome = addChoice(f, "outcome", "", "`OUTCOME` of the exchange: "+strings.Join(outcomes(), ", "), outcomes()...)
	f.StringVar(&x.EventType, "type", "", "event `TYPE`, such as tool_invoked")
	f.Var((*severities)(&x.Severity), "severity", "`LEVELS`, separated by commas: "+strings.Join(store.Severities(), ", "))
	f.StringVar(&x.Action, "action", "", "`ACTION` that was decided, such as tool:invoke")
	f.StringVar(&x.Rule, "rule", "", "`RULE` of the policy, such as rbac.analyst")
	e.phase = addChoice(f, "phase", "", "whole exchanges, or the beginning or end of those that last", store.Phases()...)
	f.Var((*identifier)(&x.ID), "id", "the event of this `UUID`")
	f.Var((*identifier)(&x.ExchangeID), "exchange", "the events of the exchange of this `UUID`")
	f.Var((*identifier)(&x.DecisionID), "decision-id", "the events of the decision of this `UUID`")
	f.StringVar(&x.SessionID, "session", "", "`DIGEST` of the session, as the trail keeps it")
	f.StringVar(&x.TraceID, "trace", "", "`ID` of the trace")
	f.Var((*address)(&x.IP), "ip", "`ADDRESS` of the client")
	f.SetNormalizeFunc(otherNames)
	return e
}

// otherNames lets --since and --until name the same span.
func otherNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "since":
		name = "from"
	case "until":
		name = "to"
	}
	return pflag.NormalizedName(name)
}

// chosen returns the filter that the flags make.
func (e *eventFlags) chosen() (store.EventFilter, error) {
	f := e.filter
	f.Decision, f.Outcome, f.Phase, f.From, f.To = e.decision.value, e.outcome.value, e.phase.value, e.from.Time, e.to.Time
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return f, misused("--from should be before --to")
	}
	return f, nil
}

// parameters are the conditions of a filter that are set, by the names that the API gives them.
func parameters(f *store.EventFilter) url.Values {
	set := url.Values{}
	for name, value := range map[string]string{
		"id": idText(f.ID), "exchange_id": idText(f.ExchangeID), "decision_id": idText(f.DecisionID), "user_id": f.UserID,
		"server": f.Server, "tool": f.Tool, "decision": f.Decision, "outcome": f.Outcome, "event_type": f.EventType,
		"severity": strings.Join(f.Severity, ","), "action": f.Action, "rule": f.Rule, "phase": f.Phase, "session_id": f.SessionID,
		"trace_id": f.TraceID, "ip_address": addressText(f.IP), "from": timeText(f.From), "to": timeText(f.To),
	} {
		if value != "" {
			set.Set(name, value)
		}
	}
	return set
}

// lets reports whether an event meets the conditions of a filter, as the database sees them.
func lets(f *store.EventFilter, e *audit.Event) bool {
	server := e.ServerName
	if _, err := uuid.Parse(f.Server); err == nil {
		server = e.ServerID
	}
	for _, pair := range [][2]string{
		{idText(f.ID), idText(e.ID)},
		{idText(f.ExchangeID), idText(e.ExchangeID)},
		{idText(f.DecisionID), idText(e.DecisionID)},
		{f.UserID, e.UserID},
		{f.Server, server},
		{f.Tool, e.ToolName},
		{f.Decision, e.Decision},
		{f.Outcome, string(e.Outcome)},
		{f.EventType, e.EventType},
		{f.Action, e.Action},
		{f.Rule, e.Rule},
		{f.Phase, string(e.Phase)},
		{f.SessionID, e.SessionID},
		{f.TraceID, e.TraceID},
		{addressText(f.IP), addressText(e.IP)},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return (len(f.Severity) == 0 || slices.Contains(f.Severity, string(e.Severity))) &&
		!e.Time.Before(f.From) && (f.To.IsZero() || e.Time.Before(f.To))
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func addressText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
