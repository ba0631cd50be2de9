package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// TestRollingRestart stops one of two gateways under load, as a rollout does: whoever connects is sent to the first one
// while it says that it is ready. No call is lost, in flight or on its way; a stream that would never end by itself ends as
// if the server had ended it; and everything is in the trail.
func TestRollingRestart(t *testing.T) {
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	upstream.On("GET", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","method":"notifications/message"}`)
		x.Hold(t.Context())
	})
	entered, release := make(chan struct{}), make(chan struct{})
	upstream.On("tools/call wipe", func(x *testkit.Exchange, m testkit.Message) {
		close(entered)
		<-release
		upstream.Send(x, m.Answer(`{"content":[]}`))
	})
	open := []string{"authn: {anonymous: {allow: true, roles: [admin]}}", `authz: {bundle: "` + allowAll(t) + `"}`}
	oldDir, newDir := dataDir(t), dataDir(t)
	old := start(t, configure(t, oldDir, upstream.URL()+"/mcp", open...), "SARK_PROXY_DRAIN_GRACE=3s")
	fresh := start(t, configure(t, newDir, upstream.URL()+"/mcp", open...))
	load := drive(t, func(ctx context.Context) (net.Conn, error) {
		address := fresh.Proxy
		if ready(ctx, old.Admin) {
			address = old.Proxy
		}
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	})
	stream, slow := listenTo(t, old.Proxy), make(chan reply, 1)
	go func() {
		r, _ := over(old.Proxy, "").try(context.Background(), "POST", "/mcp", toolCall("wipe")) // without a reply the status is 0
		slow <- r
	}()
	testkit.Wait(t, 0, entered)
	load.more(t, 100)

	old.cancel()
	testkit.Eventually(t, "the old gateway is not ready", func() bool { return !ready(t.Context(), old.Admin) })
	awaitRefused(t, old.Proxy)
	if text, err := io.ReadAll(stream); err != nil || string(text) == "" {
		t.Errorf("the stream ends with %v after %q", err, text)
	}
	close(release)
	if r := testkit.Wait(t, 0, slow); r.Status != 200 {
		t.Errorf("the call that was in flight got %d %s", r.Status, r.Body)
	}
	old.stop(t)
	load.more(t, 100)
	answered, wrong := load.end()
	fresh.stop(t)

	if diff := cmp.Diff([]string(nil), wrong); diff != "" {
		t.Errorf("calls that were not answered (-want +got):\n%s", diff)
	}
	before, after := stored(t, oldDir), stored(t, newDir)
	if got := count(before, "note") + count(after, "note"); got != int(answered) || count(after, "note") == 0 {
		t.Errorf("the trails hold %d and %d calls, want the %d that were answered", count(before, "note"), count(after, "note"), answered)
	}
	ends := map[string]audit.Outcome{}
	for _, e := range before {
		if e.ToolName == "wipe" || e.HTTPMethod == "GET" && e.Phase == audit.PhaseClose {
			ends[e.HTTPMethod+" "+e.ToolName] = e.Outcome
		}
	}
	if diff := cmp.Diff(map[string]audit.Outcome{"POST wipe": "allowed", "GET ": "allowed"}, ends); diff != "" {
		t.Errorf("how the long call and the stream ended (-want +got):\n%s", diff)
	}
}

// count counts the calls of a tool in a trail.
func count(events []audit.Event, tool string) (n int) {
	for _, e := range events {
		if e.ToolName == tool {
			n++
		}
	}
	return n
}

// ready asks a gateway as a load balancer does.
func ready(ctx context.Context, admin string) bool {
	r, err := over(admin, "").try(ctx, "GET", "/health/ready", "")
	return err == nil && r.Status == 200
}

// allowAll returns the directory of a policy that allows everything.
func allowAll(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	testkit.WriteFile(t, dir, "policy.rego", []byte("package sark\n\ndecision := {\"allow\": true, \"rule\": \"all\"}\n"))
	return dir
}

// listenTo opens a lasting stream and returns it when its first event is there.
func listenTo(t *testing.T, address string) io.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 {
		t.Fatalf("the stream has status %d", res.StatusCode)
	}
	return res.Body
}
