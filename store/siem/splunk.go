package siem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// SplunkOptions say how a Splunk HTTP Event Collector is reached. URL is its address, such as https://splunk:8088; a path is
// taken as it is, and /services/collector/event when there is none.
type SplunkOptions struct {
	HTTPOptions
	// Token is that of the collector. Required.
	Token string
	// Index, Source and SourceType are sent with every event; empty ones are the token's own.
	Index, Source, SourceType string
	// Ack waits until the indexer has acknowledged each batch. The token has to have it switched on.
	Ack bool
}

const (
	eventPath = "/services/collector/event"
	ackPath   = "/services/collector/ack"
	ackEvery  = 500 * time.Millisecond // between two questions whether a batch is indexed
)

// Splunk posts events to an HTTP Event Collector.
type Splunk struct {
	o           SplunkOptions
	p           *poster
	events, ack string
	channel     string // of acknowledgements (X-Splunk-Request-Channel)
}

// NewSplunk makes a sink for a collector.
func NewSplunk(o SplunkOptions) (*Splunk, error) {
	u, err := url.Parse(o.URL)
	if err != nil || o.Token == "" {
		return nil, errors.New("new splunk sink: options URL and Token are required")
	}
	ack := *u
	ack.Path = ackPath
	if u.Path == "" || u.Path == "/" {
		u.Path = eventPath
	}
	o.URL = u.String()
	p, err := newPoster(o.HTTPOptions)
	if err != nil {
		return nil, fmt.Errorf("new splunk sink: %w", err)
	}
	return &Splunk{o: o, p: p, events: u.String(), ack: ack.String(), channel: uuid.NewString()}, nil
}

// splunkEvent is the envelope of an event.
type splunkEvent struct {
	Time       json.Number       `json:"time"`
	Host       string            `json:"host,omitempty"`
	Index      string            `json:"index,omitempty"`
	Source     string            `json:"source,omitempty"`
	SourceType string            `json:"sourcetype,omitempty"`
	Event      json.RawMessage   `json:"event"`
	Fields     map[string]string `json:"fields"` // indexed: what a search filters by, and the id by which an event that came twice is known
}

// Send implements Sink.
func (s *Splunk) Send(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	var body []byte
	for _, e := range events {
		text, err := json.Marshal(splunkEvent{
			Time:  json.Number(fmt.Sprintf("%d.%06d", e.Time.Unix(), e.Time.Nanosecond()/1000)),
			Host:  e.ServerName,
			Index: s.o.Index, Source: s.o.Source, SourceType: s.o.SourceType, Event: e.Body,
			Fields: map[string]string{"event_id": e.ID.String(), "event_type": e.EventType, "severity": string(e.Severity)},
		})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRejected, err)
		}
		body = append(body, text...)
	}
	reply, err := s.p.post(ctx, s.events, "application/json", body, s.headers())
	if err != nil || !s.o.Ack {
		return err
	}
	var r struct {
		AckID *int64 `json:"ackId"`
	}
	if err := json.Unmarshal(reply, &r); err != nil || r.AckID == nil {
		return errors.New("the collector gave no ackId: switch on indexer acknowledgement for the token, or ack off")
	}
	return s.await(ctx, *r.AckID)
}

func (s *Splunk) headers() map[string]string {
	h := map[string]string{"Authorization": "Splunk " + s.o.Token}
	if s.o.Ack {
		h["X-Splunk-Request-Channel"] = s.channel
	}
	return h
}

// await returns when a batch is indexed.
func (s *Splunk) await(ctx context.Context, id int64) error {
	question := fmt.Appendf(nil, `{"acks":[%d]}`, id)
	for {
		reply, err := s.p.post(ctx, s.ack+"?channel="+s.channel, "application/json", question, s.headers())
		if err != nil {
			return fmt.Errorf("ask for the acknowledgement: %w", dropRejected(err))
		}
		var r struct {
			Acks map[string]bool `json:"acks"`
		}
		if err := json.Unmarshal(reply, &r); err != nil {
			return fmt.Errorf("read the acknowledgement: %w", err)
		}
		if r.Acks[strconv.FormatInt(id, 10)] {
			return nil
		}
		if !sleep(ctx, ackEvery) {
			return fmt.Errorf("the indexer has not acknowledged a batch: %w", ctx.Err())
		}
	}
}

// dropRejected makes the refusal of a question one of no event.
func dropRejected(err error) error {
	if errors.Is(err, ErrRejected) {
		return errors.New(err.Error())
	}
	return err
}

// Close implements Sink.
func (s *Splunk) Close() error { s.p.close(); return nil }
