package proxy_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/demo"
	"sark/internal/testkit"
	"sark/proxy"
)

// helpdesk is the example MCP server behind a gateway with the built-in policy.
type helpdesk struct {
	*cached
	scans chan context.Context // of each call of scan_archive, when the server has it
}

// newHelpdesk starts both; everything ends with the test.
func newHelpdesk(t *testing.T, o demo.Options) *helpdesk {
	t.Helper()
	server, err := demo.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	h := &helpdesk{scans: make(chan context.Context, 1)}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client left
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte(demo.ScanArchive)) {
			select {
			case h.scans <- r.Context():
			default:
			}
		}
		server.ServeHTTP(w, r)
	}))
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.Start()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the example server: %v", err)
		}
		web.Close()
	})
	var tools []authz.Tool
	for _, tool := range demo.Tools() {
		tools = append(tools, authz.Tool{Name: tool.Name, SensitivityLevel: tool.SensitivityLevel, ReadOnly: tool.ReadOnly})
	}
	h.cached = newCached(t, func(s *setup) {
		s.Decider = patientEngine(t)
		s.Servers = []proxy.ServerOptions{{Name: "helpdesk", URL: web.URL + "/mcp", Tools: tools}}
	})
	return h
}

// patientEngine is the built-in policy without haste: tests share their processors.
func patientEngine(t *testing.T) *authz.Engine {
	t.Helper()
	e, err := authz.Open(t.Context(), authz.Options{Timeout: testkit.Patience, WatchInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// authorized adds a role's credential to every request.
type authorized struct {
	role string
	http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+keyFor(a.role))
	return a.RoundTripper.RoundTrip(r)
}

// connect connects the official client as a role.
func (h *helpdesk) connect(t *testing.T, role string, o *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, o).Connect(t.Context(),
		&mcp.StreamableClientTransport{
			Endpoint:   h.URL + "/helpdesk/mcp",
			HTTPClient: &http.Client{Transport: authorized{role, transport}},
		}, nil)
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

// inBothEras runs a test against the example server of each era.
func inBothEras(t *testing.T, test func(t *testing.T, o demo.Options)) {
	t.Helper()
	for _, era := range []string{"modern", "legacy"} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			test(t, demo.Options{Stateful: era == "legacy"})
		})
	}
}

// call calls a tool and returns the text of its result.
func call(ctx context.Context, t *testing.T, s *mcp.ClientSession, tool string, arguments map[string]any) string {
	t.Helper()
	params := &mcp.CallToolParams{Name: tool, Arguments: arguments}
	params.SetProgressToken("token")
	res, err := s.CallTool(ctx, params)
	if err != nil {
		t.Fatalf("call %s: %v", tool, err)
	}
	if len(res.Content) != 1 {
		t.Fatalf("call %s: %d contents, want 1", tool, len(res.Content))
	}
	text, ok := res.Content[0].(*mcp.TextContent)
	if !ok || res.IsError {
		t.Fatalf("call %s: %#v", tool, res.Content[0])
	}
	return text.Text
}

func TestClientLists(t *testing.T) {
	t.Parallel()
	inBothEras(t, func(t *testing.T, o demo.Options) {
		h := newHelpdesk(t, o)
		version := map[bool]string{false: "2026-07-28", true: "2025-11-25"}[o.Stateful]
		hidden := map[string][]string{"admin": nil, "analyst": {demo.DeleteCustomer}}
		for role, without := range hidden {
			s := h.connect(t, role, nil)
			diff(t, "version", version, s.InitializeResult().ProtocolVersion)
			tools, err := s.ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, tool := range tools.Tools {
				got = append(got, tool.Name)
			}
			for _, tool := range demo.Tools() {
				if !slices.Contains(without, tool.Name) {
					want = append(want, tool.Name)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			diff(t, "tools of "+role, want, got)
			prompts, err := s.ListPrompts(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			resources, err := s.ListResources(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			templates, err := s.ListResourceTemplates(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "prompts, resources, templates", []int{2, 2, 1},
				[]int{len(prompts.Prompts), len(resources.Resources), len(templates.ResourceTemplates)})
		}
	})
}

func TestClientCallsAndReads(t *testing.T) {
	t.Parallel()
	inBothEras(t, func(t *testing.T, o demo.Options) {
		h := newHelpdesk(t, o)
		s := h.connect(t, "admin", nil)
		if _, err := s.ListTools(t.Context(), nil); err != nil { // run_report needs a header that the client knows from the list
			t.Fatal(err)
		}
		diff(t, "search", `{"tickets":[]}`, call(t.Context(), t, s, demo.SearchTickets, map[string]any{"query": "unicorn"}))
		diff(t, "report", `{"rows":{"O-1":0,"O-2":0,"O-3":0}}`, call(t.Context(), t, s, demo.RunReport, map[string]any{"name": "refunds"}))
		diff(t, "refund", `{"customer_id":"C-1","id":"O-1","refunded":30,"total":80}`,
			call(t.Context(), t, s, demo.RefundOrder, map[string]any{"order_id": "O-1", "amount": 30}))
		rules, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: demo.RefundRulesURI})
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "resource", "# Refunds\n\nUp to 100 EUR an agent decides alone. Above that a supervisor does.\n", rules.Contents[0].Text)
		prompt, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: demo.TriagePrompt})
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "prompt", 1, len(prompt.Messages))
		for _, e := range h.Events() {
			if e.Outcome != audit.OutcomeAllowed && e.Phase != audit.PhaseOpen {
				t.Errorf("%s %s ended as %s: %s", e.Method, e.ToolName, e.Outcome, e.ErrorMessage)
			}
		}
	})
}

func TestClientDeniedCallKeepsItsSession(t *testing.T) {
	t.Parallel()
	inBothEras(t, func(t *testing.T, o demo.Options) {
		h := newHelpdesk(t, o)
		s := h.connect(t, "analyst", nil)
		_, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: demo.DeleteCustomer, Arguments: map[string]any{"customer_id": "C-1"}})
		if err == nil {
			t.Fatal("an analyst deleted a customer")
		}
		diff(t, "search", `{"tickets":[]}`, call(t.Context(), t, s, demo.SearchTickets, map[string]any{"query": "unicorn"}))
	})
}

func TestClientProgressComesBeforeTheResult(t *testing.T) {
	t.Parallel()
	const steps = 5
	inBothEras(t, func(t *testing.T, o demo.Options) {
		h := newHelpdesk(t, o)
		progress := make(chan float64, steps)
		s := h.connect(t, "analyst", &mcp.ClientOptions{
			ProgressNotificationHandler: func(_ context.Context, n *mcp.ProgressNotificationClientRequest) {
				progress <- n.Params.Progress
			},
		})
		result := make(chan string, 1)
		go func() {
			result <- call(t.Context(), t, s, demo.ScanArchive, map[string]any{"count": steps, "interval_ms": 200})
		}()
		diff(t, "first step", 1.0, testkit.Wait(t, 0, progress))
		select {
		case r := <-result:
			t.Errorf("the result %q came with the first of %d steps", r, steps)
		default:
		}
		for i := 1; i < steps; i++ {
			diff(t, "step", float64(i+1), testkit.Wait(t, 0, progress))
		}
		diff(t, "result", "Scanned 5 parts of the archive.", testkit.Wait(t, 0, result))
	})
}

func TestClientCancels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		progress bool // the reply has begun
	}{
		{"before the reply", false},
		{"within the reply", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBothEras(t, func(t *testing.T, o demo.Options) {
				h := newHelpdesk(t, o)
				begun := make(chan struct{}, 100)
				s := h.connect(t, "analyst", &mcp.ClientOptions{
					ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { begun <- struct{}{} },
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				failed := make(chan error, 1)
				// A server that reads the cancellation before it has begun the call goes on with it, for twice our patience.
				params := &mcp.CallToolParams{Name: demo.ScanArchive, Arguments: map[string]any{"count": 4, "interval_ms": 5000}}
				if test.progress {
					params.SetProgressToken("token")
					params.Arguments = map[string]any{"count": 100, "interval_ms": 500}
				}
				go func() {
					_, err := s.CallTool(ctx, params)
					failed <- err
				}()
				serving := testkit.Wait(t, 0, h.scans)
				if test.progress {
					testkit.Wait(t, 0, begun)
				}
				cancel()
				if testkit.Wait(t, 0, failed) == nil {
					t.Error("the cancelled call has a result")
				}
				testkit.Wait(t, 0, serving.Done())
			})
		})
	}
}

func TestClientIsAsked(t *testing.T) {
	t.Parallel()
	inBothEras(t, func(t *testing.T, o demo.Options) {
		h := newHelpdesk(t, o)
		s := h.connect(t, "admin", &mcp.ClientOptions{
			ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
				return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"reason": "third complaint"}}, nil
			},
			//nolint:staticcheck // sampling is deprecated by SEP-2577 and still spoken
			CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
				return &mcp.CreateMessageResult{ //nolint:staticcheck // see above
					Model: "tiny", Role: "assistant", Content: &mcp.TextContent{Text: "A lamp broke on its way."},
				}, nil
			},
		})
		diff(t, "elicitation", "Ticket T-103 is escalated (1): third complaint",
			call(t.Context(), t, s, demo.EscalateTicket, map[string]any{"ticket_id": "T-103"}))
		diff(t, "sampling", "Summary of T-100 by tiny: A lamp broke on its way.",
			call(t.Context(), t, s, demo.SummarizeTicket, map[string]any{"ticket_id": "T-100"}))
	})
}

// TestClientShares sees that the cache answers the official client, in the form that its server answers in.
func TestClientShares(t *testing.T) {
	t.Parallel()
	h := newHelpdesk(t, demo.Options{})
	for range 2 {
		if _, err := h.connect(t, "admin", nil).ListTools(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	hits := 0
	for _, e := range h.Events() {
		if e.CacheStatus == "HIT" {
			hits++
		}
	}
	if hits == 0 {
		t.Error("nothing was answered from cache")
	}
}
