package demo_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/demo"
)

// answer is the visible outcome of a tool call.
type answer struct {
	Text  string
	Error bool
}

func TestCallsInOrder(t *testing.T) {
	steps := []struct {
		tool string
		args map[string]any
		want answer
	}{
		{demo.SearchTickets, map[string]any{"query": "LAMP", "status": "open"}, answer{Text: `{"tickets":[{"body":"The glass of the lamp was in pieces.","customer_id":"C-1","id":"T-100","order_id":"O-1","status":"open","subject":"Lamp arrived broken"}]}`}},
		{demo.SearchTickets, map[string]any{"query": "unicorn"}, answer{Text: `{"tickets":[]}`}},
		{demo.ReadCustomer, map[string]any{"customer_id": "C-2"}, answer{Text: `{"email":"bram@example.com","id":"C-2","name":"Bram Visser","phone":"+44 20 7946 0002"}`}},
		{demo.RefundOrder, map[string]any{"order_id": "O-1", "amount": 30, "reason": "broken"}, answer{Text: `{"customer_id":"C-1","id":"O-1","refunded":30,"total":80}`}},
		{demo.RefundOrder, map[string]any{"order_id": "O-1", "amount": 51}, answer{Text: "order O-1 has 50 EUR left to refund, not 51", Error: true}},
		{demo.RefundOrder, map[string]any{"order_id": "O-1", "amount": 0}, answer{Text: "amount 0 is not above zero", Error: true}},
		{demo.RunReport, map[string]any{"name": "refunds"}, answer{Text: `{"rows":{"O-1":30,"O-2":0,"O-3":0}}`}},
		{demo.DeleteCustomer, map[string]any{"customer_id": "C-1"}, answer{Text: "Customer C-1 is deleted."}},
		{demo.DeleteCustomer, map[string]any{"customer_id": "C-1"}, answer{Text: `no customer "C-1"`, Error: true}},
		{demo.RunReport, map[string]any{"name": "tickets_by_status"}, answer{Text: `{"rows":{"open":2}}`}},
		{demo.RunReport, map[string]any{"name": "salaries"}, answer{Text: `no report "salaries"`, Error: true}},
		{demo.ScanArchive, map[string]any{"count": 101}, answer{Text: "count 101 is not within 1 to 100", Error: true}},
		{demo.ScanArchive, map[string]any{"count": 1, "interval_ms": 5001}, answer{Text: "interval_ms 5001 is not within 0 to 5000", Error: true}},
	}
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		session := connect(t, o, nil)
		// run_report needs a header that the client knows from the list.
		if _, err := session.ListTools(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			var got answer
			got.Text, got.Error = call(t.Context(), t, session, &mcp.CallToolParams{Name: step.tool, Arguments: step.args})
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s %v (-want +got):\n%s", step.tool, step.args, diff)
			}
		}
	})
}

func TestModernReportNeedsItsParameterHeader(t *testing.T) {
	session := connect(t, demo.Options{}, nil)
	params := &mcp.CallToolParams{Name: demo.RunReport, Arguments: map[string]any{"name": "refunds"}}
	// The client mirrors arguments only for tools it has seen in a list.
	if _, err := session.CallTool(t.Context(), params); err == nil || !strings.Contains(err.Error(), "Mcp-Param-Report") {
		t.Fatalf("call without the header: %v", err)
	}
	if _, err := session.ListTools(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got, isError := call(t.Context(), t, session, params)
	if diff := cmp.Diff(answer{Text: `{"rows":{"O-1":0,"O-2":0,"O-3":0}}`}, answer{Text: got, Error: isError}); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestScanReportsProgressBeforeItsResult(t *testing.T) {
	const steps = 5
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		progress := make(chan float64, steps)
		session := connect(t, o, &mcp.ClientOptions{
			ProgressNotificationHandler: func(_ context.Context, n *mcp.ProgressNotificationClientRequest) {
				progress <- n.Params.Progress
			},
		})
		params := &mcp.CallToolParams{Name: demo.ScanArchive, Arguments: map[string]any{"count": steps, "interval_ms": 1}}
		params.SetProgressToken("scan")
		got, _ := call(t.Context(), t, session, params)
		if diff := cmp.Diff("Scanned 5 parts of the archive.", got); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
		var seen []float64
		for range steps {
			select {
			case p := <-progress:
				seen = append(seen, p)
			case <-t.Context().Done():
				t.Fatalf("progress ended after %v", seen)
			}
		}
		if diff := cmp.Diff([]float64{1, 2, 3, 4, 5}, seen); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	})
}

func TestCancelledScanEndsTheCall(t *testing.T) {
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		session := connect(t, o, &mcp.ClientOptions{
			ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { cancel() },
		})
		params := &mcp.CallToolParams{Name: demo.ScanArchive, Arguments: map[string]any{"count": 100, "interval_ms": 20}}
		params.SetProgressToken("scan")
		if _, err := session.CallTool(ctx, params); err == nil {
			t.Fatal("the cancelled call returned a result")
		}
	})
}
