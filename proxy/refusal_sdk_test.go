package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/demo"
	"sark/proxy"
)

// sdkRefusals are what is done to one request of the official client: it is spoiled on its way, or made by one who may not.
func sdkRefusals() []sdkRefusal {
	body := func(change func(string) string) func(*http.Request, string) string {
		return func(_ *http.Request, b string) string { return change(b) }
	}
	header := func(name, value string) func(*http.Request, string) string {
		return func(r *http.Request, b string) string { r.Header.Set(name, value); return b }
	}
	return []sdkRefusal{
		{name: "broken JSON", spoil: body(func(b string) string { return b[:len(b)-1] }), visible: true},
		{name: "duplicate key", spoil: body(func(b string) string { return strings.Replace(b, `"arguments":{`, `"arguments":{"a":1,"a":2,`, 1) }), visible: true},
		{name: "batch", spoil: body(func(b string) string { return "[" + b + "]" }), visible: true},
		{name: "bad UTF-8", spoil: body(func(b string) string { return strings.Replace(b, demo.SearchTickets, "\xff", 1) }), visible: true},
		{name: "header mismatch", spoil: header("Mcp-Name", "other"), visible: true},
		{name: "two credentials", spoil: header("X-API-Key", keyFor("analyst")), visible: true},
		{name: "wrong credential", spoil: header("Authorization", "Bearer nonsense"), visible: true},
		{name: "no credential", spoil: func(r *http.Request, b string) string { r.Header.Del("Authorization"); return b }, visible: true},
		{name: "repeated header", spoil: func(r *http.Request, b string) string { r.Header["mcp-method"] = []string{"ping", "ping"}; return b }, visible: true},
		{name: "wrong host", spoil: func(r *http.Request, b string) string { r.Host = "evil.example"; return b }, visible: true},
		{name: "lone surrogate", spoil: body(func(b string) string { return strings.Replace(b, `"arguments":{`, `"arguments":{"a":"\ud800",`, 1) }), visible: true},
		{name: "no request", spoil: body(func(string) string { return `{"jsonrpc":"2.0","id":1}` }), visible: true},
		{name: "wrong media type", spoil: header("Content-Type", "text/plain"), visible: true},
		{name: "wrong origin", spoil: header("Origin", "https://evil.example"), visible: true},
		{name: "large header", spoil: header("X-Filler", strings.Repeat("a", 20<<10))},
		{name: "large body", spoil: body(func(b string) string { return b + strings.Repeat(" ", 2*sdkMaxBody) }), visible: true},
		{name: "huge body", spoil: body(func(b string) string { return b + strings.Repeat(" ", 8*sdkMaxBody) })},
		{name: "unknown path", spoil: func(r *http.Request, b string) string { r.URL.Path = "/other"; return b }, visible: true},
		{name: "denied call", tool: demo.DeleteCustomer, visible: true},
		{name: "full spool", spoil: body(func(b string) string { return b }), full: true},
	}
}

// sdkRefusal is one way in which a call of the official client is refused.
type sdkRefusal struct {
	name  string
	spoil func(r *http.Request, body string) string // nil: the request goes out as it is
	tool  string                                    // to be called; empty: one that the caller may call
	full  bool                                      // the spool is full meanwhile

	// visible says that the client shows the gateway's message. Of the statuses 429 and 5xx it shows the status alone, and
	// what is refused before it was read may reach it as a broken connection.
	visible bool
}

const sdkMaxBody = 16 << 10

// TestClientSurvives makes calls of the official client fail in every way, in both eras, and expects an error that says why
// and a session that works on.
func TestClientSurvives(t *testing.T) {
	for _, era := range []string{"modern", "legacy"} {
		t.Run(era, func(t *testing.T) {
			g, session, transport := connectClient(t, era)
			for _, r := range sdkRefusals() {
				t.Run(r.name, func(t *testing.T) { r.run(t, g, session, transport) })
			}
			t.Run("denied notification", func(t *testing.T) { refuseNotification(t, g, session) })
		})
	}
}

func (r sdkRefusal) run(t *testing.T, g *gateway, session *mcp.ClientSession, transport *spoiler) {
	t.Helper()
	if r.spoil != nil {
		transport.next.Store(&r.spoil)
	}
	if r.full {
		g.Trail.Limit(0)
	}
	tool := r.tool
	if tool == "" {
		tool = demo.SearchTickets
	}
	_, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: map[string]any{"customer_id": "c-1"}})
	g.Trail.Limit(-1)
	if err == nil {
		t.Fatal("the call was not refused")
	}
	if transport.next.Load() != nil {
		t.Error("the request was not spoiled")
	}
	if r.visible {
		checkShown(t, err, g.Events())
	}
	useSession(t, session)
}

// checkShown fails the test when an error does not say why it came and where it is recorded.
func checkShown(t *testing.T, err error, events []audit.Event) {
	t.Helper()
	for _, e := range events {
		id := fmt.Sprintf("exchange %s", e.ExchangeID)
		if e.DecisionID != uuid.Nil {
			id = fmt.Sprintf("decision %s", e.DecisionID)
		}
		if strings.Contains(err.Error(), id) {
			if e.Reason == "" || !strings.Contains(err.Error(), e.Reason) {
				t.Errorf("error %q lacks the reason %q", err, e.Reason)
			}
			return
		}
	}
	t.Errorf("error %q names no exchange or decision of the trail", err)
}

// useSession fails the test when the session does not work.
func useSession(t *testing.T, session *mcp.ClientSession) {
	t.Helper()
	res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: demo.SearchTickets, Arguments: map[string]any{}})
	if err != nil || res.IsError {
		t.Errorf("the next call failed: %v %+v", err, res)
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatalf("the next list failed: %v", err)
	}
	for _, tool := range tools.Tools {
		if tool.Name == demo.DeleteCustomer {
			t.Errorf("the list shows %s", tool.Name)
		}
	}
	if len(tools.Tools) == 0 {
		t.Error("the list is empty")
	}
}

// refuseNotification sends a notification that the policy denies.
func refuseNotification(t *testing.T, g *gateway, session *mcp.ClientSession) {
	t.Helper()
	err := session.NotifyProgress(t.Context(), &mcp.ProgressNotificationParams{ProgressToken: "p", Progress: 1})
	if err == nil {
		t.Fatal("the notification was not refused")
	}
	checkShown(t, err, g.Events())
	useSession(t, session)
}

// connectClient puts the gateway between the example server and the official client. Beyond the built-in policy nobody may
// notify of progress.
func connectClient(t *testing.T, era string) (*gateway, *mcp.ClientSession, *spoiler) {
	t.Helper()
	server, err := demo.NewServer(demo.Options{Stateful: era == "legacy"})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the example server: %v", err)
		}
		web.Close()
	})
	engine := newEngine(t, "")
	g := newGateway(t, func(s *setup) {
		desk := proxy.ServerOptions{Name: "desk", URL: web.URL + "/mcp", SensitivityLevel: "low"}
		for _, tool := range demo.Tools() {
			desk.Tools = append(desk.Tools, authz.Tool{Name: tool.Name, SensitivityLevel: tool.SensitivityLevel, ReadOnly: tool.ReadOnly})
		}
		s.Servers = []proxy.ServerOptions{desk}
		s.MaxBody, s.Listener.MaxBody = sdkMaxBody, sdkMaxBody
		s.Decider = deciderFunc(func(in *authz.Input) authz.Decision {
			if in.Call.Method == "notifications/progress" {
				return authz.Decision{Rule: "test.progress", Reason: "progress is secret"}
			}
			return engine.Decide(context.Background(), in)
		})
	})
	transport := &spoiler{base: &http.Transport{}}
	t.Cleanup(transport.base.CloseIdleConnections)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: g.URL + "/mcp", HTTPClient: &http.Client{Transport: transport}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("close the session: %v", err)
		}
	})
	if want := revision(era); session.InitializeResult().ProtocolVersion != want {
		t.Fatalf("the client speaks %s, want %s", session.InitializeResult().ProtocolVersion, want)
	}
	return g, session, transport
}

// spoiler sends the requests of a client with an analyst's key, and spoils the next POST, or answers it, when it is told to.
type spoiler struct {
	base   *http.Transport
	next   atomic.Pointer[func(*http.Request, string) string]
	answer atomic.Pointer[func(*http.Request) (*http.Response, error)]
}

// RoundTrip implements http.RoundTripper.
func (s *spoiler) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+keyFor("analyst"))
	if r.Method != http.MethodPost {
		return s.base.RoundTrip(r)
	}
	if answer := s.answer.Swap(nil); answer != nil {
		return (*answer)(r)
	}
	spoil := s.next.Swap(nil)
	if spoil == nil {
		return s.base.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	body = []byte((*spoil)(r, string(body)))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = nil
	return s.base.RoundTrip(r)
}
