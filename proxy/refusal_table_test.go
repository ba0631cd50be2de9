package proxy_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// failure makes one row of the failure table of docs/operations.md happen.
type failure struct {
	// setup changes the gateway before it starts.
	setup func(*testing.T, *setup)
	// begin prepares the failure on the running gateway and returns what takes it away again; nil does nothing.
	begin func(*testing.T, *gateway) (end func())
	// send sends the request that fails; nil sends an allowed tools/call.
	send func(*testkit.RawClient)
	// id is the id that the JSON-RPC error must carry, as JSON; empty means that of the default call.
	id string
	// plain says that the reply is no JSON-RPC error but the error object of plain HTTP.
	plain bool
	// result says that the reply is a JSON-RPC reply without data: a tool error, or an error as of the server.
	result bool
	// empty says that the reply has no body.
	empty bool
	// closes says that the gateway closes the connection after the reply.
	closes bool
	// header are fields that the reply must have.
	header map[string]string
	// forwarded says that the request may reach the upstream.
	forwarded bool
	// dead says that nothing can be forwarded afterwards either.
	dead bool
	// before is how many events begin leaves.
	before int
	// leaves says that the client reads the beginning of a stream and leaves.
	leaves bool
	// host is what the client dials in place of the gateway's address.
	host string
	// by makes the failure happen and checks it in a way of its own; nil takes that of all others.
	by func(*testing.T) outcome
}

// outcome is what a row of the table promises and what is observed.
type outcome struct {
	Status  int
	Code    int
	Rule    string
	Outcome audit.Outcome
}

// allowedCall is a tools/call that analysts may make.
const allowedCall = `{"jsonrpc":"2.0","id":"call-1","method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}`

// failures are the tests of the failure table, by the id of the row.
func failures() map[string]failure {
	all := map[string]failure{}
	for _, some := range []map[string]failure{
		unreadableRequests(), refusedRequests(), brokenMessages(), refusedCallers(), refusedCalls(), lackOfRoom(), upstreamFailures(),
		refusedExchanges(), failedExchanges(), registryFailures(), divertedRequests(),
	} {
		maps.Copy(all, some)
	}
	return all
}

// TestFailureTable reads the failure table of docs/operations.md and makes each row happen. A row without a test and a test
// without a row fail.
func TestFailureTable(t *testing.T) {
	tests := failures()
	for id, want := range failureTable(t) {
		f, ok := tests[id]
		delete(tests, id)
		t.Run(id, func(t *testing.T) {
			if !ok {
				t.Fatal("the row has no test")
			}
			if d := cmp.Diff(want, f.run(t)); d != "" {
				t.Errorf("the table and the gateway differ (-table +gateway):\n%s", d)
			}
		})
	}
	for _, id := range slices.Sorted(maps.Keys(tests)) {
		t.Errorf("failure %s has no row in docs/operations.md", id)
	}
}

// failureTable reads the columns id, status, code, rule and outcome of the table.
func failureTable(t *testing.T) map[string]outcome {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]outcome{}
	for line := range strings.SplitSeq(string(doc), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) != 7 {
			continue
		}
		id := strings.Trim(cells[0], "`")
		if _, twice := rows[id]; twice {
			t.Errorf("row %s is there twice", id)
		}
		rows[id] = readRow(t, cells)
	}
	if len(rows) == 0 {
		t.Fatal("docs/operations.md has no failure table")
	}
	return rows
}

// readRow reads one row: id, failure, status, code, what the client sees, what the trail records, what to do. The trail's
// cell begins with the outcome and the rule: `denied` by `framing`.
func readRow(t *testing.T, cells []string) outcome {
	t.Helper()
	var o outcome
	var err error
	if o.Status, err = strconv.Atoi(cells[2]); err != nil {
		t.Fatalf("row %s: status: %v", cells[0], err)
	}
	if cells[3] != "–" {
		if o.Code, err = strconv.Atoi(strings.Replace(cells[3], "−", "-", 1)); err != nil {
			t.Fatalf("row %s: code: %v", cells[0], err)
		}
	}
	trail := strings.Split(cells[5], "`")
	if len(trail) < 5 {
		t.Fatalf("row %s: the trail's cell %q names no outcome and rule", cells[0], cells[5])
	}
	o.Outcome, o.Rule = audit.Outcome(trail[1]), trail[3]
	return o
}

// run makes the failure happen and returns what came of it. On the way it checks what holds for every failure: one event,
// a reply that names reason, rule and exchange, nothing sent upstream, and a gateway that works on.
func (f failure) run(t *testing.T) outcome {
	t.Helper()
	if f.by != nil {
		return f.by(t)
	}
	g := newGateway(t, func(s *setup) {
		if f.setup != nil {
			f.setup(t, s)
		}
	})
	end := func() {}
	if f.begin != nil {
		end = f.begin(t, g)
	}
	c := g.DialHost(t, f.host)
	if f.send != nil {
		f.send(c)
	} else {
		c.Post("/mcp", allowedCall, bearer("analyst"))
	}
	if f.leaves {
		return f.leave(t, g, c)
	}
	reply := c.ReadReply()
	e := f.event(t, g)
	f.checkReply(t, reply, &e)
	f.checkUpstream(t, g)
	end()
	f.checkNext(t, g, c, reply)
	return outcome{Status: reply.Status, Code: int(e.RPCCode), Rule: e.Rule, Outcome: e.Outcome}
}

// leave reads the beginning of a stream and closes the connection.
func (f failure) leave(t *testing.T, g *gateway, c *testkit.RawClient) outcome {
	t.Helper()
	c.ReadHead().ReadData()
	c.Close()
	e := f.event(t, g)
	f.checkNext(t, g, g.Dial(t), &testkit.Reply{})
	return outcome{Status: int(e.StatusCode), Code: int(e.RPCCode), Rule: e.Rule, Outcome: e.Outcome}
}

// event returns the one event of the failure.
func (f failure) event(t *testing.T, g *gateway) audit.Event {
	t.Helper()
	events := g.AwaitEvents(t, f.before+1)
	if len(events) != f.before+1 {
		t.Fatalf("%d events, want %d: %+v", len(events), f.before+1, events)
	}
	return events[f.before]
}
