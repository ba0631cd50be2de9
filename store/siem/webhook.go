package siem

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// WebhookOptions say what a webhook receives.
type WebhookOptions struct {
	HTTPOptions
	// Secret signs what is sent, see Signature; empty signs nothing.
	Secret []byte
	// Array sends a JSON array instead of one JSON object a line.
	Array bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// The headers of a signed request.
const (
	SignatureHeader = "X-Sark-Signature"
	TimestampHeader = "X-Sark-Timestamp"
)

// Signature is the value of SignatureHeader: "sha256=" and, in hexadecimal, the HMAC-SHA-256 of the value of TimestampHeader
// (seconds since 1970), a full stop and the body before it is compressed. A receiver that checks the time too knows a request
// that is sent again by somebody else.
func Signature(secret []byte, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

// Webhook posts events to an address.
type Webhook struct {
	o WebhookOptions
	p *poster
}

// NewWebhook makes a webhook.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	p, err := newPoster(o.HTTPOptions)
	if err != nil {
		return nil, fmt.Errorf("new webhook: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Webhook{o: o, p: p}, nil
}

// Send implements Sink. The receiver has the events when it has answered with a status of 2xx.
func (w *Webhook) Send(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	body, contentType := lines(events), "application/x-ndjson"
	if w.o.Array {
		body, contentType = array(events), "application/json"
	}
	headers := map[string]string{}
	if len(w.o.Secret) > 0 {
		at := strconv.FormatInt(w.o.Now().Unix(), 10)
		headers[TimestampHeader], headers[SignatureHeader] = at, Signature(w.o.Secret, at, body)
	}
	_, err := w.p.post(ctx, w.o.URL, contentType, body, headers)
	return err
}

// Close implements Sink.
func (w *Webhook) Close() error { w.p.close(); return nil }

func lines(events []Event) (b []byte) {
	for _, e := range events {
		b = append(append(b, e.Body...), '\n')
	}
	return b
}

func array(events []Event) []byte {
	sep, b := byte('['), []byte(nil)
	for _, e := range events {
		b = append(append(b, sep), e.Body...)
		sep = ','
	}
	return append(b, ']')
}
