package api

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/internal/audit"
	"sark/store"
)

// eventType is the form of event types; their list is open.
var eventType = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// outcomes are the words for how an exchange ended.
func outcomes() []string {
	return []string{
		string(audit.OutcomeAllowed), string(audit.OutcomeDenied), string(audit.OutcomeError),
		string(audit.OutcomeClientGone), string(audit.OutcomeUpstreamFailed), string(audit.OutcomeUnknown),
	}
}

// listEvents answers GET /api/v1/audit/events, newest first.
func (a *API) listEvents(ctx context.Context, r *request) error {
	q := readQuery(r, "id", "exchange_id", "decision_id", "user_id", "server", "tool", "decision", "outcome", "event_type",
		"from", "to", "limit", "cursor")
	now := a.o.Now()
	filter := store.EventFilter{
		ID:         q.id("id"),
		ExchangeID: q.id("exchange_id"),
		DecisionID: q.id("decision_id"),
		UserID:     q.text("user_id"),
		Server:     q.text("server"),
		Tool:       q.text("tool"),
		Decision:   q.word("decision", "allow", "deny"),
		Outcome:    q.word("outcome", outcomes()...),
		EventType:  q.matching("event_type", eventType),
		From:       q.moment("from", now),
		To:         q.moment("to", now),
		Limit:      q.limit(),
		Cursor:     q.cursor(),
	}
	if !filter.From.IsZero() && !filter.To.IsZero() && !filter.From.Before(filter.To) {
		q.fail("from", "should be before to")
	}
	if q.err != nil {
		return q.err
	}
	found, err := a.o.Audit.Events(ctx, filter)
	if err != nil {
		return storeProblem(err, "audit trail")
	}
	out := page[audit.Event]{Items: found.Items, NextCursor: optional(found.NextCursor), HasMore: found.HasMore}
	return writeJSON(r.out, fasthttp.StatusOK, out)
}

// id reads a UUID, zero when absent.
func (q *query) id(name string) uuid.UUID {
	s := q.text(name)
	if s == "" {
		return uuid.Nil
	}
	id, ok := parseID(s)
	if !ok {
		q.fail(name, "should be a UUID")
	}
	return id
}

// matching reads a parameter of a given form, "" when absent.
func (q *query) matching(name string, form *regexp.Regexp) string {
	s := q.text(name)
	if s != "" && !form.MatchString(s) {
		q.fail(name, "should match "+form.String())
		return ""
	}
	return s
}

// moment reads a time, zero when absent: RFC 3339, or a span before now such as -90s, -15m, -1h30m or -7d.
func (q *query) moment(name string, now time.Time) time.Time {
	s := q.text(name)
	if s == "" {
		return time.Time{}
	}
	if span, ok := before(s); ok {
		return now.Add(-span).UTC()
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		q.fail(name, "should be RFC 3339 with '+' written as %2B, or a span before now such as -15m or -7d")
		return time.Time{}
	}
	return t.UTC()
}

// before reads a span that begins with a minus: what time.ParseDuration knows, or whole days.
func before(s string) (time.Duration, bool) {
	const day, maxDays = 24 * time.Hour, 36_500
	s, ok := strings.CutPrefix(s, "-")
	if !ok {
		return 0, false
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * day, err == nil && n <= maxDays
	}
	span, err := time.ParseDuration(s)
	return span, err == nil && span >= 0
}
