package siem

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"sark/internal/audit"
)

// OTLP sends events as log records to an OpenTelemetry collector, over HTTP in the JSON encoding (OTLP 1.x, section
// "OTLP/HTTP").
type OTLP struct {
	p   *poster
	url string
}

// NewOTLP makes a sink for a collector. URL is its address, such as http://collector:4318; a path is taken as it is, and
// /v1/logs when there is none.
func NewOTLP(o HTTPOptions) (*OTLP, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("new otlp sink: %w", err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/logs"
	}
	p, err := newPoster(o)
	if err != nil {
		return nil, fmt.Errorf("new otlp sink: %w", err)
	}
	return &OTLP{p: p, url: u.String()}, nil
}

// The JSON form of ExportLogsServiceRequest: names in camelCase, 64-bit numbers as texts, ids in hexadecimal.
type (
	otlpLogs struct {
		ResourceLogs []otlpResourceLogs `json:"resourceLogs"`
	}
	otlpResourceLogs struct {
		Resource  otlpResource    `json:"resource"`
		ScopeLogs []otlpScopeLogs `json:"scopeLogs"`
	}
	otlpResource struct {
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpScopeLogs struct {
		Scope   otlpScope    `json:"scope"`
		Records []otlpRecord `json:"logRecords"`
	}
	otlpScope struct {
		Name string `json:"name"`
	}
	otlpRecord struct {
		Time       string          `json:"timeUnixNano"`
		Observed   string          `json:"observedTimeUnixNano"`
		Number     int             `json:"severityNumber"`
		Text       string          `json:"severityText"`
		Body       otlpValue       `json:"body"`
		Attributes []otlpAttribute `json:"attributes"`
		TraceID    string          `json:"traceId,omitempty"`
		SpanID     string          `json:"spanId,omitempty"`
		EventName  string          `json:"eventName"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		String string `json:"stringValue"`
	}
)

// Send implements Sink. A collector that takes a part of a batch does not say which: it is sent again in halves then, and what
// it has taken already it knows by sark.event.id.
func (s *OTLP) Send(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	records := make([]otlpRecord, len(events))
	for i, e := range events {
		records[i] = otlpRecordOf(e)
	}
	body, err := json.Marshal(otlpLogs{[]otlpResourceLogs{{
		Resource:  otlpResource{[]otlpAttribute{{"service.name", otlpValue{"sark"}}, {"service.instance.id", otlpValue{events[0].WriterID.String()}}}},
		ScopeLogs: []otlpScopeLogs{{Scope: otlpScope{"sark/audit"}, Records: records}},
	}}})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	reply, err := s.p.post(ctx, s.url, "application/json", body, nil)
	if err != nil {
		return err
	}
	return partial(reply)
}

// partial finds out whether a collector has taken only a part. A reply that is no JSON is that of a collector which has none.
func partial(reply []byte) error {
	var r struct {
		Partial struct {
			Rejected json.RawMessage `json:"rejectedLogRecords"`
			Message  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(reply, &r) != nil {
		return nil
	}
	text, err := strconv.Unquote(string(r.Partial.Rejected)) // a 64-bit number is a text
	if err != nil {
		text = string(r.Partial.Rejected)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		return fmt.Errorf("%w: the collector refuses %d records: %.200q", ErrRejected, n, r.Partial.Message)
	}
	return nil
}

func otlpRecordOf(e Event) otlpRecord {
	at := strconv.FormatInt(e.Time.UnixNano(), 10)
	r := otlpRecord{
		Time: at, Observed: at, Text: string(e.Severity), Number: otlpSeverity(e.Severity), Body: otlpValue{string(e.Body)},
		EventName: "sark.audit." + e.EventType,
		Attributes: []otlpAttribute{
			{"sark.event.id", otlpValue{e.ID.String()}},
			{"sark.event.seq", otlpValue{strconv.FormatInt(e.Seq, 10)}},
			{"sark.event.outcome", otlpValue{string(e.Outcome)}},
		},
	}
	for key, text := range map[string]string{"user.id": e.UserID, "sark.server.name": e.ServerName, "sark.tool.name": e.ToolName} {
		if text != "" {
			r.Attributes = append(r.Attributes, otlpAttribute{key, otlpValue{text}})
		}
	}
	if isHex(e.TraceID, 32) && isHex(e.SpanID, 16) {
		r.TraceID, r.SpanID = e.TraceID, e.SpanID
	}
	return r
}

func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// otlpSeverity is the SeverityNumber: INFO, WARN, ERROR, FATAL.
func otlpSeverity(s audit.Severity) int {
	switch s {
	case audit.SeverityMedium:
		return 13
	case audit.SeverityHigh:
		return 17
	case audit.SeverityCritical:
		return 21
	case audit.SeverityLow:
	}
	return 9
}

// Close implements Sink.
func (s *OTLP) Close() error { s.p.close(); return nil }
