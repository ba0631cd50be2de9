package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// methodResult is what one case of the golden file says.
type methodResult struct {
	Case     string            `json:"case"`
	Status   int               `json:"status"`
	Upstream map[string]int    `json:"upstream,omitempty"`
	Asked    []question        `json:"asked"`
	Intents  []json.RawMessage `json:"intents,omitempty"`
	Events   []json.RawMessage `json:"events"`
}

// TestMethods sends every method in both eras as a caller who is allowed and as one who is denied, and compares what the
// policy was asked, what the trail recorded and what the upstream got with testdata/methods.golden.json.
func TestMethods(t *testing.T) {
	var got []methodResult
	for _, era := range []string{"legacy", "modern"} {
		for _, role := range []string{"analyst", "stranger"} {
			got = append(got, runMethods(t, era, role)...)
		}
	}
	compareGolden(t, "methods.golden.json", formatMethods(t, got))
}

// runMethods sends every case as one caller, each on a connection of its own.
func runMethods(t *testing.T, era, role string) []methodResult {
	t.Helper()
	g := newGateway(t, func(s *setup) { s.Decider = newEngine(t, filepath.Join("testdata", "policy")) })
	if era == "legacy" { // a modern server answers 405 to both
		g.Upstream.On("GET", holdStream)
		g.Upstream.On("DELETE", func(x *testkit.Exchange, _ testkit.Message) { x.WriteHead(204) })
	}
	var results []methodResult
	for _, m := range methodCases() {
		results = append(results, runMethod(t, g, &m, era, role))
	}
	return results
}

// holdStream opens an event stream, sends one message and keeps it open.
func holdStream(x *testkit.Exchange, _ testkit.Message) {
	x.Stream()
	x.Event(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hello"}}`)
	x.Hold(context.Background())
}

func runMethod(t *testing.T, g *gateway, m *methodCase, era, role string) methodResult {
	t.Helper()
	name := era + " " + role + ": " + m.String()
	calls, intents, before := g.Upstream.Calls(), len(g.Trail.Intents()), len(g.Events())
	c := g.Dial(t)
	defer c.Close()
	m.send(c, era, bearer(role))
	reply, want := c.ReadHead(), 1
	if m.stream == era && role == "analyst" {
		reply.ReadData()
		c.Close()
		want = 2
	} else {
		reply.ReadBody()
	}
	events := g.AwaitEvents(t, before+want)[before:]
	if len(events) != want {
		t.Errorf("%s: %d events, want %d", name, len(events), want)
	}
	checkIdentifiers(t, events, reply)
	forwarded := added(calls, g.Upstream.Calls())
	if role == "stranger" && len(forwarded) > 0 {
		t.Errorf("%s: a denied call reached the upstream: %v", name, forwarded)
	}
	return methodResult{
		Case: name, Status: reply.Status, Upstream: forwarded, Asked: g.Asked.Take(),
		Intents: normalize(t, g.Trail.Intents()[intents:]), Events: normalize(t, events),
	}
}

// added returns by how much counts have grown.
func added(before, after map[string]int) map[string]int {
	d := map[string]int{}
	for key, n := range after {
		if n > before[key] {
			d[key] = n - before[key]
		}
	}
	return d
}

// checkIdentifiers holds the events of one exchange against its reply.
func checkIdentifiers(t *testing.T, events []audit.Event, reply *testkit.Reply) {
	t.Helper()
	for _, e := range events {
		if e.ExchangeID != events[0].ExchangeID || e.DecisionID.String() != reply.Header.Value("X-Sark-Decision-Id") {
			t.Errorf("event is of exchange %s and decision %s, want those of the first event and of the reply's header %q",
				e.ExchangeID, e.DecisionID, reply.Header.Value("X-Sark-Decision-Id"))
		}
	}
}

// varying are the columns that differ from run to run: identifiers, times, and how the engine found a decision, which
// depends on what it was asked before.
func varying() []string {
	return []string{"id", "timestamp", "exchange_id", "decision_id", "tier", "duration_us", "upstream_us", "format", "writer_id", "seq", "hash"}
}

// normalize renders events as JSON without what differs from run to run. Columns without a value are left out.
func normalize(t *testing.T, events []audit.Event) []json.RawMessage {
	t.Helper()
	var out []json.RawMessage
	for i := range events {
		raw, err := json.Marshal(events[i])
		if err != nil {
			t.Fatal(err)
		}
		var columns map[string]any
		if err := json.Unmarshal(raw, &columns); err != nil {
			t.Fatal(err)
		}
		for _, name := range varying() {
			delete(columns, name)
		}
		line, err := json.Marshal(columns)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, line)
	}
	return out
}

// formatMethods writes results with one question and one event on a line, so that a difference is a line too.
func formatMethods(t *testing.T, results []methodResult) []byte {
	t.Helper()
	var b bytes.Buffer
	lines := func(name string, n int, item func(int) any) {
		if n == 0 {
			return
		}
		b.WriteString(",\n   \"" + name + "\": [")
		for i := range n {
			line, err := json.Marshal(item(i))
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(strings.Repeat(",", min(i, 1)) + "\n    ")
			b.Write(line)
		}
		b.WriteString("\n   ]")
	}
	b.WriteString("[")
	for i, r := range results {
		head, err := json.Marshal(map[string]any{"case": r.Case, "status": r.Status, "upstream": r.Upstream})
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Repeat(",", min(i, 1)) + "\n  ")
		b.Write(bytes.TrimSuffix(head, []byte("}")))
		lines("asked", len(r.Asked), func(i int) any { return r.Asked[i] })
		lines("intents", len(r.Intents), func(i int) any { return r.Intents[i] })
		lines("events", len(r.Events), func(i int) any { return r.Events[i] })
		b.WriteString("}")
	}
	b.WriteString("\n]\n")
	return b.Bytes()
}

// compareGolden compares with a file in testdata, or rewrites it with -update.
func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("%s differs (-want +got); after a wanted change run: make golden\n%s", path, d)
	}
}

// TestMethodsWithoutCredential sends every method without a credential: each is refused, recorded once, and neither decided
// nor forwarded.
func TestMethodsWithoutCredential(t *testing.T) {
	g := newGateway(t, nil)
	type refusal struct {
		Status  int
		Outcome audit.Outcome
		Type    string
	}
	sent := 0
	for _, era := range []string{"legacy", "modern"} {
		for _, m := range methodCases() {
			c := g.Dial(t)
			m.send(c, era)
			reply := c.ReadReply()
			sent++
			events := g.AwaitEvents(t, sent)
			got := refusal{reply.Status, events[sent-1].Outcome, events[sent-1].EventType}
			if d := cmp.Diff(refusal{401, audit.OutcomeDenied, "authentication_failed"}, got); d != "" {
				t.Errorf("%s %s (-want +got):\n%s", era, m.String(), d)
			}
			c.Close()
		}
	}
	if n := len(g.Events()); n != sent {
		t.Errorf("%d events for %d requests", n, sent)
	}
	if asked := g.Asked.Take(); len(asked) > 0 {
		t.Errorf("the policy was asked: %v", asked)
	}
	if calls := g.Upstream.Calls(); len(calls) > 0 {
		t.Errorf("the upstream was called: %v", calls)
	}
}
