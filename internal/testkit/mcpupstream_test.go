package testkit_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/testkit"
)

// answer is what a raw client sees of a reply.
type answer struct {
	Status int
	Body   string
}

func post(t *testing.T, u *testkit.MCPUpstream, body string, lines ...string) answer {
	t.Helper()
	c := testkit.Dial(t, u.URL())
	c.Post("/mcp", body, lines...)
	r := c.ReadReply()
	return answer{r.Status, r.Body}
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func TestMCPUpstreamAnswersFromItsTables(t *testing.T) {
	u := testkit.NewMCPUpstream(t, testkit.MCPOptions{Results: map[string]string{
		"tools/call special": `{"content":[],"own":1}`,
		"vendor/thing":       `{"vendor":true}`,
	}})
	tests := []struct {
		name, body string
		want       answer
	}{
		{"legacy default", `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo"}}`, answer{200, `{"jsonrpc":"2.0","id":"a","result":{"content":[{"type":"text","text":"done"}],"isError":false}}`}},
		{"by name", `{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"special"}}`, answer{200, `{"jsonrpc":"2.0","id":1.0,"result":{"content":[],"own":1}}`}},
		{"added method", `{"jsonrpc":"2.0","id":2,"method":"vendor/thing"}`, answer{200, `{"jsonrpc":"2.0","id":2,"result":{"vendor":true}}`}},
		{"modern list", `{"jsonrpc":"2.0","id":3,"method":"prompts/list","params":{` + modernMeta + `}}`, answer{200, `{"jsonrpc":"2.0","id":3,"result":{"resultType":"complete","ttlMs":60000,"cacheScope":"public","prompts":[{"name":"greet"}]}}`}},
		{"modern empty", `{"jsonrpc":"2.0","id":4,"method":"ping","params":{` + modernMeta + `}}`, answer{200, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete"}}`}},
		{"unknown legacy", `{"jsonrpc":"2.0","id":5,"method":"no/such"}`, answer{200, `{"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"method not found"}}`}},
		{"unknown modern", `{"jsonrpc":"2.0","id":6,"method":"no/such","params":{` + modernMeta + `}}`, answer{404, `{"jsonrpc":"2.0","id":6,"error":{"code":-32601,"message":"method not found"}}`}},
		{"notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, answer{202, ""}},
		{"client response", `{"jsonrpc":"2.0","id":7,"result":{}}`, answer{202, ""}},
		{"batch", `[{"jsonrpc":"2.0","id":8,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":9,"method":"ping"}]`, answer{200, `[{"jsonrpc":"2.0","id":8,"result":{}},{"jsonrpc":"2.0","id":9,"result":{}}]`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, post(t, u, test.body)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
	want := map[string]int{
		"tools/call echo": 1, "tools/call special": 1, "vendor/thing": 1, "prompts/list": 1, "ping": 3, "no/such": 2,
		"notifications/initialized": 1, "notifications/x": 1, "response": 1,
	}
	if diff := cmp.Diff(want, u.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestMCPUpstreamSessions(t *testing.T) {
	u := testkit.NewMCPUpstream(t, testkit.MCPOptions{Sessions: true})
	c := testkit.Dial(t, u.URL())
	c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	session := c.ReadReply().Header.Value("Mcp-Session-Id")
	const ping = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
	pong := answer{200, `{"jsonrpc":"2.0","id":2,"result":{}}`}
	var got []answer
	got = append(got, post(t, u, ping), post(t, u, ping, "Mcp-Session-Id: other"), post(t, u, ping, "Mcp-Session-Id: "+session))
	for range 2 {
		c.Send("DELETE", "/mcp", "", "Mcp-Session-Id: "+session)
		got = append(got, answer{Status: c.ReadReply().Status})
	}
	got = append(got, post(t, u, ping, "Mcp-Session-Id: "+session))
	want := []answer{{400, "no session"}, {404, ""}, pong, {204, ""}, {404, ""}, {404, ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestMCPUpstreamScriptAndVerbs(t *testing.T) {
	u := testkit.NewMCPUpstream(t, testkit.MCPOptions{SSE: true})
	c := testkit.Dial(t, u.URL())
	c.Send("GET", "/mcp", "")
	if r := c.ReadReply(); r.Status != 405 || r.Header.Value("Allow") != "POST" {
		t.Errorf("GET without a script: %d, Allow %q", r.Status, r.Header.Value("Allow"))
	}
	u.On("GET", func(x *testkit.Exchange, _ testkit.Message) { x.Stream(); x.Event("standalone") })
	u.On("tools/call", func(x *testkit.Exchange, m testkit.Message) {
		x.Stream()
		x.Event(`{"jsonrpc":"2.0","method":"notifications/progress"}`)
		x.Event(m.Refuse(7, m.Name, `{"why":1}`))
	})
	c.Send("GET", "/mcp", "")
	got := testkit.ParseEvents(c.ReadReply().Body)
	got = append(got, testkit.ParseEvents(post(t, u, `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"wipe"}}`).Body)...)
	var data []string
	for _, e := range got {
		data = append(data, e.Data)
	}
	want := []string{
		"standalone",
		`{"jsonrpc":"2.0","method":"notifications/progress"}`,
		`{"jsonrpc":"2.0","id":3,"error":{"code":7,"message":"wipe","data":{"why":1}}}`,
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestMCPUpstreamListenHoldsTheStream(t *testing.T) {
	u := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	c := testkit.Dial(t, u.URL())
	c.Post("/mcp", `{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},`+modernMeta+`}}`)
	want := `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}}}`
	if diff := cmp.Diff(want, c.ReadHead().ReadData()); diff != "" {
		t.Errorf("acknowledgement (-want +got):\n%s", diff)
	}
	c.Close()
	u.AwaitConns(t, func(n testkit.Conns) bool { return n.Open == 0 })
}

// TestMCPUpstreamSatisfiesTheOfficialClient is the judge of "plausible".
func TestMCPUpstreamSatisfiesTheOfficialClient(t *testing.T) {
	tests := []struct {
		name    string
		options testkit.MCPOptions
		version string
	}{
		{"modern", testkit.MCPOptions{}, "2026-07-28"},
		{"modern events", testkit.MCPOptions{SSE: true}, "2026-07-28"},
		{"sessions", testkit.MCPOptions{Sessions: true}, "2025-11-25"},
		{"sessions events", testkit.MCPOptions{Sessions: true, SSE: true}, "2025-11-25"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := testkit.NewMCPUpstream(t, test.options)
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
				&mcp.StreamableClientTransport{Endpoint: u.URL(), HTTPClient: &http.Client{Transport: transport}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := session.Close(); err != nil {
					t.Errorf("close the session: %v", err)
				}
			}()
			if diff := cmp.Diff(test.version, session.InitializeResult().ProtocolVersion); diff != "" {
				t.Errorf("version (-want +got):\n%s", diff)
			}
			if _, err := session.ListTools(t.Context(), nil); err != nil {
				t.Errorf("list tools: %v", err)
			}
			if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo"}); err != nil {
				t.Errorf("call a tool: %v", err)
			}
			if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "test://one"}); err != nil {
				t.Errorf("read a resource: %v", err)
			}
		})
	}
}
