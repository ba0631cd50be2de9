package siem_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sark/internal/audit"
	"sark/store/siem"
)

func webhook(t *testing.T, url string) *siem.Webhook {
	t.Helper()
	w, err := siem.NewWebhook(siem.WebhookOptions{HTTPOptions: siem.HTTPOptions{URL: url}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func compare(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestDeadReceiver keeps a receiver away until the spool has dropped what it has not got: the database has everything
// meanwhile, the spool does not grow, and in the end nothing is missing.
func TestDeadReceiver(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	var away sync.WaitGroup
	away.Add(3)
	left := 3
	r.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if left > 0 {
			left--
			away.Done()
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	})
	l := open(t, g.options(webhook(t, r.URL)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	for range 10 {
		g.record(t, 50)
		g.ship(t)
	}
	away.Wait() // it has been tried

	offset, err := g.db.Offset(t.Context(), g.spool.Writer())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "events in the database, and segments that the spool keeps for the dead receiver", []int64{500, 1}, []int64{offset, int64(g.segments(t))})
	r.set(nil)
	cancel()
	running.Wait()
	flush(t, l)

	compare(t, "events that the receiver has", numbers(1, 500), once(r.taken()))
	compare(t, "lag", int64(0), l.Lag())
}

// TestReopened goes on after the offset in the file; without the last write of it, events come twice, and none is left out.
func TestReopened(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	first := open(t, g.options(webhook(t, r.URL)))
	g.record(t, 30)
	flush(t, first)
	old, err := os.ReadFile(filepath.Join(g.dir, "siem", "test.json"))
	if err != nil {
		t.Fatal(err)
	}
	g.record(t, 30)
	flush(t, first)
	if err := os.WriteFile(filepath.Join(g.dir, "siem", "test.json"), old, 0o600); err != nil { // the crash
		t.Fatal(err)
	}

	second := open(t, g.options(webhook(t, r.URL)))
	g.record(t, 10)
	flush(t, second)

	compare(t, "events that arrived", append(numbers(1, 60), numbers(31, 70)...), r.taken())
}

// TestNewReceiver begins with what comes from now on.
func TestNewReceiver(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	g.record(t, 7)
	o := g.options(webhook(t, r.URL))
	o.FromBeginning = false
	l := open(t, o)
	g.record(t, 3)
	flush(t, l)
	compare(t, "events that arrived", numbers(8, 10), r.taken())
}

// TestDamagedOffset is an error: neither all nor nothing is sent then without a word.
func TestDamagedOffset(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	dir := filepath.Join(g.dir, "siem")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "test.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := g.options(webhook(t, r.URL))
	if _, err := siem.Open(o); err == nil {
		t.Error("a damaged offset was accepted")
	}
}

// TestFilter sends what the filter lets through, and moves on past the rest.
func TestFilter(t *testing.T) {
	for name, c := range map[string]struct {
		filter siem.Filter
		want   func(n int64) bool
	}{
		"severity": {siem.Filter{MinSeverity: audit.SeverityMedium}, func(n int64) bool { return n%4 == 0 }},
		"type":     {siem.Filter{EventTypes: []string{"tool_invoked"}}, func(n int64) bool { return n%4 != 0 }},
		"nothing":  {siem.Filter{MinSeverity: audit.SeverityCritical}, func(int64) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			g, r := newGateway(t), newReceiver(t)
			o := g.options(webhook(t, r.URL))
			o.Filter = c.filter
			l := open(t, o)
			g.record(t, 40)
			flush(t, l)
			var want []int64
			for _, n := range numbers(1, 40) {
				if c.want(n) {
					want = append(want, n)
				}
			}
			compare(t, "events that arrived", want, r.taken())
			compare(t, "offset", int64(40), l.Offset())
		})
	}
}

// TestPoison sets an event aside that the receiver refuses, and sends all others.
func TestPoison(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	r.set(func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if bytes.Contains(body, []byte(`"seq":13,`)) {
			http.Error(w, "no thirteens", http.StatusBadRequest)
			return false
		}
		return true
	})
	registry := prometheus.NewRegistry()
	metrics, err := siem.NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	o := g.options(webhook(t, r.URL))
	o.Metrics = metrics
	l := open(t, o)
	g.record(t, 40)
	flush(t, l)

	compare(t, "events that arrived", append(numbers(1, 12), numbers(14, 40)...), r.taken())
	text, err := os.ReadFile(filepath.Join(g.dir, "siem", "refused", "test", fmt.Sprintf("%s-13.json", g.spool.Writer())))
	if err != nil {
		t.Fatal(err)
	}
	var dead siem.RefusedEvent
	if err := json.Unmarshal(text, &dead); err != nil {
		t.Fatal(err)
	}
	e, err := audit.DecodeTuple(dead.Tuple)
	compare(t, "the event that was set aside", []any{int64(13), nil}, []any{e.Seq, err})
	const want = `
# HELP sark_siem_lag_events Recorded events that the receiver does not have.
# TYPE sark_siem_lag_events gauge
sark_siem_lag_events{sink="test"} 0
# HELP sark_siem_rejected_total Events that the receiver refused and that were set aside.
# TYPE sark_siem_rejected_total counter
sark_siem_rejected_total{sink="test"} 1
# HELP sark_siem_sent_total Events that the receiver has taken.
# TYPE sark_siem_sent_total counter
sark_siem_sent_total{sink="test"} 39
`
	if err := testutil.GatherAndCompare(registry, bytes.NewBufferString(want), "sark_siem_sent_total", "sark_siem_rejected_total", "sark_siem_lag_events"); err != nil {
		t.Error(err)
	}
}

// TestRefusesAll sets nothing aside when the receiver refuses everything: it is set up wrongly.
func TestRefusesAll(t *testing.T) {
	g, r := newGateway(t), newReceiver(t)
	r.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		http.Error(w, "no such index", http.StatusBadRequest)
		return false
	})
	l := open(t, g.options(webhook(t, r.URL)))
	g.record(t, 40)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Flush(ctx); err == nil {
		t.Error("flushed into a receiver that refuses all")
	}
	if _, err := os.Stat(filepath.Join(g.dir, "siem", "refused")); err == nil {
		t.Error("events were set aside")
	}
	r.set(nil)
	flush(t, l)
	compare(t, "events that arrived", numbers(1, 40), r.taken())
}
