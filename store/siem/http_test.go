package siem_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/store/siem"
	"sark/store/storetest"
)

// TestWebhookForms reads what a webhook receives: lines or an array, compressed, signed.
func TestWebhookForms(t *testing.T) {
	for name, o := range map[string]siem.WebhookOptions{
		"lines": {Secret: []byte("key")},
		"array": {Secret: []byte("key"), Array: true, HTTPOptions: siem.HTTPOptions{Gzip: true, Headers: map[string]string{"X-Tenant": "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g, r := newGateway(t), newReceiver(t)
			o.URL = r.URL
			sink, err := siem.NewWebhook(o)
			if err != nil {
				t.Fatal(err)
			}
			l := open(t, g.options(sink))
			g.record(t, 3)
			flush(t, l)

			compare(t, "events that arrived", numbers(1, 3), r.taken())
			want := siem.Signature([]byte("key"), r.header.Get(siem.TimestampHeader), r.bodies[0])
			compare(t, "signature", want, r.header.Get(siem.SignatureHeader))
			compare(t, "form and header", []any{o.Array, o.Headers["X-Tenant"]}, []any{r.bodies[0][0] == '[', r.header.Get("X-Tenant")})
		})
	}
}

// TestSplunk fails at first, wants a pause, and then takes events, which count when the indexer has them.
func TestSplunk(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	var paths []string
	step := 0
	r.set(func(w http.ResponseWriter, req *http.Request, body []byte) bool {
		paths = append(paths, req.URL.Path)
		step++
		switch {
		case req.Header.Get("Authorization") != "Splunk the-token":
			http.Error(w, "invalid token", http.StatusForbidden)
		case step == 1:
			http.Error(w, `{"text":"Server is busy","code":9}`, http.StatusServiceUnavailable)
		case req.URL.Path == "/services/collector/ack":
			fmt.Fprintf(w, `{"acks":{"7":%v}}`, step > 3) //nolint:errcheck // the test sees it
		default:
			fmt.Fprint(w, `{"text":"Success","code":0,"ackId":7}`) //nolint:errcheck // the test sees it
			return true
		}
		return false
	})
	sink, err := siem.NewSplunk(siem.SplunkOptions{
		HTTPOptions: siem.HTTPOptions{URL: r.URL, Gzip: true}, Token: "the-token", Index: "audit", SourceType: "sark:audit", Ack: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, g.options(sink))
	g.record(t, 5)
	flush(t, l)

	compare(t, "events that arrived", numbers(1, 5), r.taken())
	compare(t, "requests", []string{
		"/services/collector/event", "/services/collector/event", "/services/collector/ack", "/services/collector/ack",
	}, paths)
	var first struct {
		Time       json.Number
		Index      string
		SourceType string
		Event      map[string]any
		Fields     map[string]string
	}
	d := json.NewDecoder(strings.NewReader(string(r.bodies[0])))
	if err := d.Decode(&first); err != nil {
		t.Fatal(err)
	}
	e := storetest.Event(0)
	compare(t, "the first event", []any{json.Number(fmt.Sprintf("%d.000000", e.Time.Unix())), "audit", "sark:audit", "tool_invoked"},
		[]any{first.Time, first.Index, first.SourceType, first.Fields["event_type"]})
	compare(t, "its id", first.Event["id"], any(first.Fields["event_id"]))
}

// TestOTLP reads what a collector receives, which refuses one record by a partial success.
func TestOTLP(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	r.set(func(w http.ResponseWriter, req *http.Request, body []byte) bool {
		if req.URL.Path != "/v1/logs" {
			t.Errorf("the path is %s", req.URL.Path)
		}
		if strings.Contains(string(body), `\"seq\":2,`) {
			fmt.Fprint(w, `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too odd"}}`) //nolint:errcheck // the test sees it
			return false
		}
		fmt.Fprint(w, `{}`) //nolint:errcheck // the test sees it
		return true
	})
	sink, err := siem.NewOTLP(siem.HTTPOptions{URL: r.URL})
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, g.options(sink))
	g.record(t, 4)
	flush(t, l)

	compare(t, "events that arrived", []int64{1, 3, 4}, r.taken())
	var logs struct {
		ResourceLogs []struct {
			ScopeLogs []struct{ LogRecords []map[string]any }
		}
	}
	if err := json.Unmarshal(r.bodies[0], &logs); err != nil {
		t.Fatal(err)
	}
	record := logs.ResourceLogs[0].ScopeLogs[0].LogRecords[0]
	e := storetest.Event(0)
	want := map[string]any{
		"timeUnixNano": fmt.Sprint(e.Time.UnixNano()), "severityNumber": 9.0, "severityText": "low", "traceId": e.TraceID,
		"spanId": e.SpanID, "eventName": "sark.audit.tool_invoked",
	}
	got := map[string]any{}
	for name := range want {
		got[name] = record[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log record (-want +got):\n%s", diff)
	}
}
