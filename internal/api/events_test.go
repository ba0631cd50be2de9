package api_test

import (
	"strings"
	"testing"
	"time"

	"sark/internal/api"
	"sark/internal/audit"
)

// trail is a gateway at 12:00 with five events, one a minute from 11:51 on.
func trail(t *testing.T) (*gateway, []audit.Event) {
	t.Helper()
	g := newGateway(t, func(o *api.Options) {
		o.Now = func() time.Time { return at("12:00:00") }
		o.Lag = func() time.Duration { return 1500 * time.Millisecond }
	})
	exchange, decision := audit.NewID(at("11:55:00")), audit.NewID(at("11:55:00"))
	events := []audit.Event{
		{EventType: "tool_invoked", UserID: "ada", ServerName: "crm", ToolName: "find", Decision: "allow", Outcome: audit.OutcomeAllowed},
		{EventType: "authorization_denied", UserID: "ada", ServerName: "crm", ToolName: "refund", Decision: "deny", Outcome: audit.OutcomeDenied},
		{EventType: "tool_invoked", UserID: "eve", ServerName: "crm", ToolName: "find", Decision: "allow", Outcome: audit.OutcomeClientGone},
		{EventType: "tool_invoked", UserID: "eve", ServerName: "hr", ToolName: "find", Decision: "allow", Outcome: audit.OutcomeAllowed},
		{EventType: "user_login", UserID: "eve", ExchangeID: exchange, DecisionID: decision, Outcome: audit.OutcomeUnknown},
	}
	for i := range events {
		events[i].Time = at("11:51:00").Add(time.Duration(i) * time.Minute)
		events[i].Phase, events[i].Severity = audit.PhaseSingle, audit.SeverityLow
	}
	g.record(t, events...)
	return g, events
}

// timesOf returns the minutes of the events on a page.
func timesOf(t *testing.T, r reply) string {
	t.Helper()
	body, ok := r.Body.(map[string]any)
	if r.Code != 200 || !ok {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	var minutes []string
	for _, item := range body["items"].([]any) {
		stamp, err := time.Parse(time.RFC3339Nano, item.(map[string]any)["timestamp"].(string))
		if err != nil {
			t.Fatal(err)
		}
		minutes = append(minutes, stamp.Format("04"))
	}
	return strings.Join(minutes, " ")
}

func TestEventsFilters(t *testing.T) {
	g, events := trail(t)
	cases := []struct{ query, want string }{
		{"", "55 54 53 52 51"},
		{"?user_id=ada", "52 51"},
		{"?server=crm&tool=find", "53 51"},
		{"?decision=deny", "52"},
		{"?outcome=client_gone", "53"},
		{"?event_type=tool_invoked", "54 53 51"},
		{"?severity=low&cursor=", "55 54 53 52 51"},
		{"?severity=high,critical", ""},
		{"?phase=single&user_id=eve", "55 54 53"},
		{"?phase=open", ""},
		{"?action=tool:invoke", ""},
		{"?rule=a&session_id=b&trace_id=c", ""},
		{"?ip_address=192.0.2.1", ""},
		{"?exchange_id=" + events[4].ExchangeID.String(), "55"},
		{"?decision_id=" + strings.ToUpper(events[4].DecisionID.String()), "55"},
		{"?id=" + events[2].ID.String(), "53"},
		{"?from=2026-11-01T11:53:00Z", "55 54 53"},
		{"?to=2026-11-01T12:53:00%2B01:00", "52 51"},
		{"?from=2026-11-01T11:52:00Z&to=2026-11-01T11:54:00Z", "53 52"},
		{"?from=-7m", "55 54 53"},
		{"?from=-8m30s&to=-6m", "53 52"},
		{"?from=-1d", "55 54 53 52 51"},
		{"?to=-1h", ""},
		{"?user_id=nobody", ""},
	}

	for _, c := range cases {
		t.Run(c.query, func(t *testing.T) {
			diff(t, "minutes", c.want, timesOf(t, g.get(t, "/api/v1/audit/events"+c.query)))
		})
	}
}

func TestEventsPages(t *testing.T) {
	g, _ := trail(t)

	var got []string
	path := "/api/v1/audit/events?limit=2&from=-1h"
	for cursor := ""; ; {
		r := g.get(t, path+cursor)
		body := r.Body.(map[string]any)
		got = append(got, timesOf(t, r))
		if body["has_more"] == false {
			diff(t, "last cursor", any(nil), body["next_cursor"])
			break
		}
		cursor = "&cursor=" + body["next_cursor"].(string)
	}

	diff(t, "pages", []string{"55 54", "53 52", "51"}, got)
}

func TestEventsShape(t *testing.T) {
	g, events := trail(t)

	r := g.get(t, "/api/v1/audit/events?limit=1&decision=deny")

	body := r.Body.(map[string]any)
	item := body["items"].([]any)[0].(map[string]any)
	got := map[string]any{}
	for _, name := range []string{"id", "timestamp", "event_type", "user_id", "server_name", "tool_name", "decision", "outcome", "seq"} {
		got[name] = item[name]
	}
	diff(t, "event", map[string]any{
		"id": events[1].ID.String(), "timestamp": "2026-11-01T11:52:00Z", "event_type": "authorization_denied", "user_id": "ada",
		"server_name": "crm", "tool_name": "refund", "decision": "deny", "outcome": "denied", "seq": 2.0,
	}, got)
	delete(body, "items")
	diff(t, "page", map[string]any{"next_cursor": nil, "has_more": false, "total": nil, "lag_seconds": 1.5}, body)
}

func TestEventsRefuseBadParameters(t *testing.T) {
	cases := []struct{ query, parameter string }{
		{"user=ada", "user"},
		{"decision=allowed", "decision"},
		{"decision=", "decision"},
		{"severity=urgent", "severity"},
		{"severity=high,", "severity"},
		{"phase=middle", "phase"},
		{"ip_address=localhost", "ip_address"},
		{"outcome=ok", "outcome"},
		{"event_type=Tool%20Invoked", "event_type"},
		{"from=yesterday", "from"},
		{"from=15m", "from"},
		{"from=--15m", "from"},
		{"from=-15", "from"},
		{"from=-99999d", "from"},
		{"from=-d", "from"},
		{"from=2026-11-01", "from"},
		{"from=2026-11-01T11:00:00", "from"},
		{"to=2026-13-01T11:00:00Z", "to"},
		{"to=2026-11-01T11:00:00+01:00", "to"},
		{"from=-1h&to=-2h", "from"},
		{"from=-1h&to=-1h", "from"},
		{"id=1", "id"},
		{"exchange_id=x", "exchange_id"},
		{"decision_id=", "decision_id"},
		{"limit=201", "limit"},
		{"cursor=abc", "cursor"},
		{"include_total=true", "include_total"},
		{"user_id=a&user_id=b", "user_id"},
	}
	g, _ := trail(t)

	for _, c := range cases {
		t.Run(c.query, func(t *testing.T) {
			r := g.get(t, "/api/v1/audit/events?"+c.query)
			body, _ := r.Body.(map[string]any)
			detail, _ := body["detail"].(string)
			if !strings.HasPrefix(detail, c.parameter+": ") {
				t.Errorf("detail %q does not name %q", detail, c.parameter)
			}
			diff(t, "reply", []any{400, g.problem("invalid_parameter", detail)}, []any{r.Code, r.Body})
		})
	}
}

func TestTrailThatIsDownIs503(t *testing.T) {
	g, _ := trail(t)
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}

	r := g.get(t, "/api/v1/audit/events")

	diff(t, "reply", []any{503, g.problem("store_unavailable", "The audit trail cannot answer now")}, []any{r.Code, r.Body})
}
