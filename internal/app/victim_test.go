package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/app"
	"sark/internal/audit"
	"sark/internal/testkit"
)

// victimConfig names the environment variable that makes this test binary a gateway to be killed.
const victimConfig = "SARK_APP_VICTIM_CONFIG"

// serveUntilKilled runs the gateway of a configuration file and prints where it listens. It does not return.
func serveUntilKilled(file string) {
	loaded, err := configs.Load(configs.Options{File: file})
	if err == nil {
		err = app.Run(context.Background(), app.Options{
			Config: loaded, Log: zap.NewNop(), Level: zap.NewAtomicLevel(),
			Ready: func(a app.Addresses) { _ = json.NewEncoder(os.Stdout).Encode(a) }, // without a reader there is no test
		})
	}
	fmt.Fprintln(os.Stderr, "the gateway ended by itself:", err)
	os.Exit(1)
}

// victim is a gateway in a process of its own.
type victim struct {
	app.Addresses
	cmd *exec.Cmd
}

func startVictim(t *testing.T, file string) *victim {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) // #nosec G204 -- this very program
	cmd.Env = append(os.Environ(), victimConfig+"="+file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &victim{cmd: cmd}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &v.Addresses)
	}
	if err != nil {
		_ = cmd.Process.Kill() // the error above is the one to tell
		_ = cmd.Wait()
		t.Fatalf("the gateway to be killed said %q: %v", line, err)
	}
	return v
}

// kill ends the process by SIGKILL and waits until it is gone.
func (v *victim) kill(t *testing.T) {
	t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := v.cmd.Wait(); err == nil {
		t.Error("the gateway ended by itself")
	}
}

// acks collects the decisions whose replies arrived whole.
type acks struct {
	mu     sync.Mutex
	ids    []uuid.UUID
	enough chan struct{} // closed when there are want of them
	want   int
}

func (a *acks) add(id uuid.UUID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ids = append(a.ids, id); len(a.ids) == a.want {
		close(a.enough)
	}
}

// callUntilBroken calls one tool after another until the gateway is gone.
func (a *acks) callUntilBroken(ctx context.Context, c caller, tool string) {
	for {
		r, err := c.try(ctx, http.MethodPost, "/mcp", toolCall(tool))
		if err != nil {
			return
		}
		if id, err := uuid.Parse(r.Header.Get("X-Sark-Decision-Id")); err == nil {
			a.add(id)
		}
	}
}

// TestKilledGateway kills a gateway in the middle of calls, twice on one directory. After the next start everything that was
// acknowledged has left exactly one event, and a call that was under way has one, too, whose outcome is unknown.
func TestKilledGateway(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	stuck := make(chan struct{}, 2) // one for each kill
	upstream.On("tools/call stuck", func(x *testkit.Exchange, _ testkit.Message) {
		stuck <- struct{}{}
		x.Hold(t.Context())
	})
	file := configure(t, dir, upstream.URL()+"/mcp")
	key := newKey(t, dir, "analyst")
	var acknowledged []uuid.UUID
	for range 2 {
		acknowledged = append(acknowledged, killDuringCalls(t, file, key, stuck)...)
	}

	g := start(t, file)
	over(g.Proxy, key).post(t, "/mcp", toolCall("echo"))
	g.stop(t)

	events := stored(t, dir)
	outcomes := map[uuid.UUID][]audit.Outcome{} // by decision
	unknown := map[string]int{}                 // by tool
	for _, e := range events {
		outcomes[e.DecisionID] = append(outcomes[e.DecisionID], e.Outcome)
		if e.Outcome == audit.OutcomeUnknown {
			unknown[e.ToolName]++
		}
	}
	for _, id := range acknowledged {
		if o := outcomes[id]; len(o) != 1 || (o[0] != audit.OutcomeAllowed && o[0] != audit.OutcomeDenied) {
			t.Errorf("the acknowledged decision %s has the outcomes %q", id, o)
		}
	}
	for id, n := range byExchange(events) {
		if n != 1 {
			t.Errorf("exchange %s has %d events", id, n)
		}
	}
	checkForwarded(t, upstream.Requests(), outcomes)
	if unknown["stuck"] != 2 {
		t.Errorf("%d calls that were under way are recorded as unknown, want 2 (all: %v)", unknown["stuck"], unknown)
	}
	checkChain(t, events)
	t.Logf("%d replies were acknowledged; %d events, unknown %v", len(acknowledged), len(events), unknown)
}

// killDuringCalls returns the decisions that were acknowledged before the gateway was killed, which is when there are some
// hundred of them and a further call waits for the upstream.
func killDuringCalls(t *testing.T, file, key string, stuck <-chan struct{}) []uuid.UUID {
	t.Helper()
	v := startVictim(t, file)
	a := &acks{enough: make(chan struct{}), want: 300}
	var callers sync.WaitGroup
	callers.Go(func() { a.callUntilBroken(t.Context(), over(v.Proxy, key), "stuck") })
	for i := range 8 {
		tool := []string{"note", "echo", "wipe"}[i%3]
		callers.Go(func() { a.callUntilBroken(t.Context(), over(v.Proxy, key), tool) })
	}
	testkit.Wait(t, 0, stuck)
	testkit.Wait(t, 0, a.enough)
	v.kill(t)
	callers.Wait()
	return a.ids
}

// checkForwarded looks for an event of every call with effects that reached the upstream, acknowledged or not.
func checkForwarded(t *testing.T, requests []testkit.Request, outcomes map[uuid.UUID][]audit.Outcome) {
	t.Helper()
	for _, r := range requests {
		if r.Err != nil || readOnly(r) {
			continue
		}
		id, err := uuid.Parse(r.Header.Value("X-Sark-Decision-Id"))
		if err != nil {
			t.Fatalf("a request reached the upstream without a decision: %+v", r.Header)
		}
		if n := len(outcomes[id]); n != 1 {
			t.Errorf("decision %s reached the upstream and has %d events", id, n)
		}
	}
}

// readOnly tells whether a request is a call of echo, which has no effects and so leaves no intent.
func readOnly(r testkit.Request) bool {
	var m struct {
		Params struct{ Name string }
	}
	return json.Unmarshal(r.Body, &m) == nil && m.Params.Name == "echo"
}
