package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/authn"
	"sark/internal/testkit"
)

// replicaSecret is the secret of the keys of replicas' callers.
const replicaSecret = "0123456789abcdefghijklmnopqrstuvwxyzABCD"

// replicaKeys are the configuration of callers that every replica knows: ana and ben, who may do everything.
func replicaKeys() string {
	const key = `{id: %[1]s, hash: "%[2]s", subject: %[1]s@example.com, roles: [admin]}`
	hash := authn.FormatHash(authn.HashSecret(replicaSecret))
	return "authn: {api_keys: [" + fmt.Sprintf(key, "ana", hash) + ", " + fmt.Sprintf(key, "ben", hash) + "]}"
}

// replica sends requests to one gateway of several.
type replica struct {
	t      *testing.T
	g      *gateway
	client *http.Client
}

// post sends a message as somebody in a session, "" for none, and returns the status and the session of the reply.
func (r replica) post(who, session, body string) (int, string) {
	req, err := http.NewRequest(http.MethodPost, "http://"+r.g.Proxy+"/mcp", strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return 0, ""
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer sark_" + who + "_" + replicaSecret, "Content-Type": "application/json",
		"Accept": "application/json, text/event-stream", "Mcp-Session-Id": session,
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Error(err)
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	if err != nil {
		r.t.Error(err)
	}
	return resp.StatusCode, resp.Header.Get("Mcp-Session-Id")
}

// call calls a tool in a session, "" for none, and returns the status.
func (r replica) call(who, session string) int {
	status, _ := r.post(who, session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}`)
	return status
}

// begin opens a session and returns its id.
func (r replica) begin(who string) string {
	r.t.Helper()
	const body = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	status, id := r.post(who, "", body)
	if status != 200 || id == "" {
		r.t.Fatalf("initialize: status %d, session %q", status, id)
	}
	return id
}

// alone reports whether a gateway does without Redis for anything that it shares.
func (r replica) alone() bool {
	text := over(r.g.Admin, "").get(r.t, "/metrics").Body
	return strings.Contains(text, "_breaker_open 1\n")
}

// replicas start two gateways before one upstream with sessions.
func replicas(t *testing.T, more ...string) (a, b replica) {
	t.Helper()
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{Sessions: true})
	more = append(more, replicaKeys())
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	one := func() replica {
		return replica{t, start(t, configure(t, dataDir(t), upstream.URL()+"/mcp", more...)), &http.Client{Transport: transport}}
	}
	return one(), one()
}

// TestReplicasShareSessionsAndLimits: a session of one gateway is its owner's at the other, across a restart of Redis; a
// limit is one for both; and without Redis each goes on with what it knows.
func TestReplicasShareSessionsAndLimits(t *testing.T) {
	server := testkit.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	a, b := replicas(t, `redis: {url: "`+server.URL()+`", hmac_key: "0123456789abcdef0123456789abcdef", health_check_interval: 100ms}`,
		`limits: {tool_rate: 1, tool_burst: 4, timeout: 5s}`)
	session := a.begin("ana")
	got := []int{a.call("ana", session), b.call("ana", session), b.call("ben", session), b.call("ana", "unknown")}
	server.Kill()
	server.Start()
	testkit.Eventually(t, "Redis is asked again", func() bool { return b.call("ben", session) == 404 })
	got = append(got, b.call("ana", session), a.call("ana", session), b.call("ana", session))

	if diff := cmp.Diff([]int{200, 200, 404, 404, 200, 200, 429}, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}

	testkit.Eventually(t, "all that is shared is healthy, each with its pool", func() bool {
		var pools map[string]struct {
			Healthy bool
			Max     int
		}
		over(a.g.API, "sark_ana_"+replicaSecret).get(t, "/health/pools").decode(t, &pools)
		for _, part := range []string{"redis", "sessions", "limits"} {
			if !pools[part].Healthy || pools[part].Max != 50 {
				return false
			}
		}
		return true
	})

	second := a.begin("ben")
	server.Kill()
	got = []int{a.call("ben", second), b.call("ben", second), b.call("ana", session)}
	if diff := cmp.Diff([]int{200, 503, 200}, got); diff != "" {
		t.Errorf("status without Redis (-want +got):\n%s", diff)
	}
}

// TestFailoverUnderLoad kills the master while two gateways are in use: no request fails, and the new master is used.
func TestFailoverUnderLoad(t *testing.T) {
	s := testkit.StartRedisSentinels(t)
	a, b := replicas(t, `redis: {url: "`+s.URL()+`", topology: sentinel, health_check_interval: 100ms}`,
		`limits: {principal_rate: 1000000, principal_burst: 1000000}`)
	sessions := map[replica]string{a: a.begin("ana"), b: b.begin("ana")}
	var calls, failed atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for r, session := range sessions {
		for range 2 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if status := r.call("ana", session); status != 200 {
						failed.Add(1)
						t.Errorf("status %d", status)
						return
					}
					calls.Add(1)
				}
			})
		}
	}
	more := func(what string) {
		target := calls.Load() + 100
		testkit.Eventually(t, "calls "+what, func() bool { return calls.Load() >= target || failed.Load() > 0 })
	}
	more("with the first master")
	s.Master.Kill()
	more("without a master")
	s.AwaitPromotion()
	more("with the second master")
	testkit.Eventually(t, "both gateways use the second master", func() bool { return !a.alone() && !b.alone() })
	close(stop)
	wg.Wait()
	if session := a.begin("ben"); b.call("ben", session) != 200 || b.call("ana", session) != 404 {
		t.Error("sessions are not shared through the second master")
	}
	t.Logf("%d calls, %d failed", calls.Load(), failed.Load())
}
