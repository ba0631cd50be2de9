package api

import (
	"context"
	"net/netip"
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

// eventPage is a page of the trail. Lag says how far the trail in the store may be behind this gateway: what it recorded
// longer ago than that is there.
type eventPage struct {
	page[store.MarkedEvent]
	Lag float64 `json:"lag_seconds"`
}

// listEvents answers GET /api/v1/audit/events, newest first.
func (a *API) listEvents(ctx context.Context, r *request) error {
	filter, err := a.eventFilter(r)
	if err != nil {
		return err
	}
	lag := a.lag() // before the question: what is on its way now may be missing from the answer
	found, err := a.o.Audit.Events(ctx, filter)
	if err != nil {
		return storeProblem(err, "audit trail")
	}
	items, err := a.mark(ctx, found.Items)
	if err != nil {
		return err
	}
	out := eventPage{page[store.MarkedEvent]{Items: items, NextCursor: optional(found.NextCursor), HasMore: found.HasMore}, lag.Seconds()}
	return writeJSON(r.out, fasthttp.StatusOK, out)
}

// mark adds to events whether receivers outside have them. It is asked after the events, so that what is said to be forwarded is.
func (a *API) mark(ctx context.Context, events []audit.Event) ([]store.MarkedEvent, error) {
	forwarded, err := a.o.Audit.Forwarded(ctx, store.Writers(events))
	if err != nil {
		return nil, storeProblem(err, "audit trail")
	}
	return forwarded.Mark(events), nil
}

func (a *API) lag() time.Duration {
	if a.o.Lag == nil {
		return 0
	}
	return a.o.Lag()
}

func (a *API) eventFilter(r *request) (store.EventFilter, error) {
	q := readQuery(r, "id", "exchange_id", "decision_id", "user_id", "server", "tool", "decision", "outcome", "event_type",
		"severity", "action", "rule", "phase", "session_id", "trace_id", "ip_address", "from", "to", "limit", "cursor")
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
		Severity:   q.words("severity", store.Severities()...),
		Action:     q.text("action"),
		Rule:       q.text("rule"),
		Phase:      q.word("phase", store.Phases()...),
		SessionID:  q.text("session_id"),
		TraceID:    q.text("trace_id"),
		IP:         q.address("ip_address"),
		From:       q.moment("from", now),
		To:         q.moment("to", now),
		Limit:      q.limit(),
		Cursor:     q.cursor(),
	}
	if !filter.From.IsZero() && !filter.To.IsZero() && !filter.From.Before(filter.To) {
		q.fail("from", "should be before to")
	}
	return filter, q.err
}

// event answers GET /api/v1/audit/events/{id}. The time in the id says which part of the trail to look into.
func (a *API) event(ctx context.Context, r *request) error {
	id, ok := parseID(r.call.Name)
	if !ok {
		return notUUID("event_id")
	}
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	found, err := a.o.Audit.Events(ctx, store.EventFilter{ID: id, Limit: 1})
	if err != nil {
		return storeProblem(err, "audit trail")
	}
	if len(found.Items) == 0 {
		return &Problem{
			Status: fasthttp.StatusNotFound, Code: "not_found",
			Detail: "No event has this id; one that was just recorded may be on its way into the store",
		}
	}
	items, err := a.mark(ctx, found.Items)
	if err != nil {
		return err
	}
	return writeJSON(r.out, fasthttp.StatusOK, items[0])
}

// address reads an IP address, invalid when absent.
func (q *query) address(name string) netip.Addr {
	s := q.text(name)
	if s == "" {
		return netip.Addr{}
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		q.fail(name, "should be an IP address")
		return netip.Addr{}
	}
	return ip.Unmap()
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
