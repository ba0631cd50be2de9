package proxy_test

import (
	"os"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

// TestSilentCall: a tool that says nothing for longer than every limit but the two that are about it, the first byte and the
// silence within a reply, is waited for, whether its reply has begun or not. The limits are scaled down, so that the test
// need not wait; with SARK_TEST_SILENCE=5m the tool is silent for that long, under the defaults.
func TestSilentCall(t *testing.T) {
	t.Parallel()
	silence, limit := time.Second, 150*time.Millisecond
	scaled := permissive(func(s *setup) {
		s.WriteTimeout, s.Heartbeat = limit, limit
		s.Listener.ReadTimeout, s.Listener.WriteTimeout, s.Listener.IdleTimeout = limit, limit, testkit.Patience
		s.Server = func(o *proxy.ServerOptions) {
			o.Upstream.IdleTimeout, o.Upstream.ConnWait, o.Upstream.ConnectTimeout = limit, limit, limit
			o.Upstream.FirstByteTimeout, o.Upstream.StreamIdleTimeout = testkit.Patience, testkit.Patience
		}
	})
	if text := os.Getenv("SARK_TEST_SILENCE"); text != "" {
		var err error
		if silence, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		scaled = permissive(func(s *setup) {
			s.Listener.IdleTimeout = 0
			s.Server = func(o *proxy.ServerOptions) { o.Upstream.FirstByteTimeout = 10 * time.Minute } // of the configuration
		})
	}
	for name, script := range silentTools(silence) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, scaled)
			g.Upstream.On("tools/call", script)
			began := time.Now()
			status, body := patientPost(t, g, toolCall)
			if waited := time.Since(began); waited < silence {
				t.Errorf("the reply came after %v, before the tool had spoken", waited)
			}
			diff(t, "status", 200, status)
			if answers := testkit.ParseEvents(body); name == "events" && (len(answers) == 0 || answers[len(answers)-1].Data == "") {
				t.Errorf("the stream ended without an answer: %q", body)
			}
			want := []audit.Outcome{audit.OutcomeAllowed}
			if silence > 10*time.Second { // audit.open_after
				want = []audit.Outcome{"", audit.OutcomeAllowed}
			}
			var got []audit.Outcome
			for _, e := range g.AwaitEvents(t, len(want)) {
				got = append(got, e.Outcome)
			}
			diff(t, "outcomes", want, got)
		})
	}
}

// silentTools are tools that answer after a silence.
func silentTools(silence time.Duration) map[string]func(*testkit.Exchange, testkit.Message) {
	wait := func(x *testkit.Exchange) bool {
		timer := time.NewTimer(silence)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-x.ClientGone():
			return false
		}
	}
	return map[string]func(*testkit.Exchange, testkit.Message){
		"JSON": func(x *testkit.Exchange, m testkit.Message) {
			if wait(x) {
				x.JSON(200, m.Answer(`{"content":[]}`))
			}
		},
		"events": func(x *testkit.Exchange, m testkit.Message) {
			x.Stream()
			if wait(x) {
				x.Event(m.Answer(`{"content":[]}`))
			}
		},
	}
}
