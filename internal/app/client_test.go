package app_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/demo"
	"sark/internal/testkit"
)

// bearer sends a credential with every request.
type bearer struct {
	credential string
	next       *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.credential)
	return b.next.RoundTrip(r)
}

// example runs the example server on a real socket and returns its MCP endpoint.
func example(t *testing.T, stateful bool) string {
	t.Helper()
	server, err := demo.NewServer(demo.Options{Stateful: stateful})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return web.URL + "/mcp"
}

// connect connects the official client. The session ends with the test.
func connect(t *testing.T, endpoint, credential string, o *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, o).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: endpoint, HTTPClient: &http.Client{Transport: bearer{credential, transport}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("close the session: %v", err)
		}
	})
	return session
}

// TestOfficialClient works through a gateway with a key of the store, in both eras.
func TestOfficialClient(t *testing.T) {
	for _, era := range []struct {
		name     string
		stateful bool
		revision string
	}{{"modern", false, "2026-07-28"}, {"legacy", true, "2025-11-25"}} {
		t.Run(era.name, func(t *testing.T) {
			dir := dataDir(t)
			g := start(t, configure(t, dir, example(t, era.stateful)))
			progress := make(chan float64, 10) // more than the steps of the scan
			session := connect(t, "http://"+g.Proxy+"/mcp", newKey(t, dir, "analyst"), clientOptions(progress))

			if diff := cmp.Diff(era.revision, session.InitializeResult().ProtocolVersion); diff != "" {
				t.Errorf("revision (-want +got):\n%s", diff)
			}
			t.Run("lists", func(t *testing.T) { checkLists(t, session) })
			t.Run("calls", func(t *testing.T) { checkCalls(t, session) })
			t.Run("progress", func(t *testing.T) { checkProgress(t, session, progress) })
			t.Run("resources", func(t *testing.T) { checkResources(t, session) })
			t.Run("questions", func(t *testing.T) { checkQuestions(t, session) })
		})
	}
}

// clientOptions answer what servers ask and hand over progress.
func clientOptions(progress chan<- float64) *mcp.ClientOptions {
	return &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			progress <- r.Params.Progress
		},
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"reason": "it is urgent"}}, nil
		},
		//nolint:staticcheck // sampling is deprecated by SEP-2577 and still spoken
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Model: "tiny", Role: "assistant", Content: &mcp.TextContent{Text: "a lamp broke"}}, nil
		},
	}
}

func checkLists(t *testing.T, s *mcp.ClientSession) {
	t.Helper()
	got := map[string][]string{}
	for tool, err := range s.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		got["tools"] = append(got["tools"], tool.Name)
	}
	for prompt, err := range s.Prompts(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		got["prompts"] = append(got["prompts"], prompt.Name)
	}
	for resource, err := range s.Resources(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		got["resources"] = append(got["resources"], resource.URI)
	}
	slices.Sort(got["tools"])
	want := map[string][]string{
		"tools": {
			"escalate_ticket", "read_customer", "refund_order", "run_report", "scan_archive", "search_tickets",
			"summarize_ticket",
		},
		"prompts":   {"reply_to_ticket", "triage"},
		"resources": {"helpdesk://rules/privacy", "helpdesk://rules/refunds"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
}

func checkCalls(t *testing.T, s *mcp.ClientSession) {
	t.Helper()
	if got := callTool(t, s, demo.SearchTickets, map[string]any{"query": "lamp"}); !strings.Contains(got, "T-100") {
		t.Errorf("search found %q, want ticket T-100", got)
	}
	_, err := s.CallTool(t.Context(), &mcp.CallToolParams{
		Name: demo.RefundOrder, Arguments: map[string]any{"order_id": "O-3", "amount": 500, "reason": "x"},
	})
	if err == nil || !strings.Contains(err.Error(), "the amount must be a number, at most 100 (decision ") {
		t.Errorf("the denied refund says %v, want reason and decision", err)
	}
	_, err = s.CallTool(t.Context(), &mcp.CallToolParams{Name: demo.DeleteCustomer, Arguments: map[string]any{"customer_id": "C-3"}})
	if err == nil || !strings.Contains(err.Error(), `unknown tool "delete_customer"`) {
		t.Errorf("the hidden tool says %v, want that it is unknown", err)
	}
	got := callTool(t, s, demo.RunReport, map[string]any{"name": "refunds"})
	if !strings.Contains(got, `"O-3":0`) {
		t.Errorf("after the denied calls the report says %q", got)
	}
}

func checkProgress(t *testing.T, s *mcp.ClientSession, progress <-chan float64) {
	t.Helper()
	params := &mcp.CallToolParams{Name: demo.ScanArchive, Arguments: map[string]any{"count": 3, "interval_ms": 0}}
	params.SetProgressToken("scan-1")
	if _, err := s.CallTool(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	var got []float64
	for range 3 {
		got = append(got, testkit.Wait(t, 0, progress))
	}
	if diff := cmp.Diff([]float64{1, 2, 3}, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

func checkResources(t *testing.T, s *mcp.ClientSession) {
	t.Helper()
	for uri, want := range map[string]string{demo.RefundRulesURI: "Up to 100 EUR", "helpdesk://tickets/T-101": "Invoice is missing"} {
		r, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Contents) != 1 || !strings.Contains(r.Contents[0].Text, want) {
			t.Errorf("%s is %+v, want %q in it", uri, r.Contents, want)
		}
	}
	prompt, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: demo.ReplyPrompt, Arguments: map[string]string{"ticket_id": "T-103"}})
	if err != nil || len(prompt.Messages) != 1 {
		t.Errorf("prompt %+v, %v", prompt, err)
	}
}

// checkQuestions calls the tools that ask the client something before they answer.
func checkQuestions(t *testing.T, s *mcp.ClientSession) {
	t.Helper()
	got := []string{
		callTool(t, s, demo.EscalateTicket, map[string]any{"ticket_id": "T-100"}),
		callTool(t, s, demo.SummarizeTicket, map[string]any{"ticket_id": "T-100"}),
	}
	want := []string{"Ticket T-100 is escalated (1): it is urgent", "Summary of T-100 by tiny: a lamp broke"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// callTool returns the text of a result.
func callTool(t *testing.T, s *mcp.ClientSession, tool string, arguments any) string {
	t.Helper()
	r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("call %s: %v", tool, err)
	}
	text, ok := r.Content[0].(*mcp.TextContent)
	if !ok || r.IsError {
		t.Fatalf("call %s: result %+v", tool, r)
	}
	return text.Text
}
