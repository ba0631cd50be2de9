package demo_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/demo"
	"sark/internal/testkit"
)

func TestNegativeTTLIsRefused(t *testing.T) {
	if _, err := demo.NewServer(demo.Options{TTL: -1}); err == nil {
		t.Fatal("NewServer accepted a negative TTL")
	}
}

func TestEachEraNegotiatesItsRevision(t *testing.T) {
	for _, era := range eras {
		t.Run(era.name, func(t *testing.T) {
			session := connect(t, era.options, nil)
			if diff := cmp.Diff(era.version, session.InitializeResult().ProtocolVersion); diff != "" {
				t.Errorf("protocol version (-want +got):\n%s", diff)
			}
		})
	}
}

// listed is what a client learns about one tool.
type listed struct {
	ReadOnly, Destructive bool
}

func TestListedToolsMatchTheCatalogue(t *testing.T) {
	want := map[string]listed{}
	for _, tool := range demo.Tools() {
		want[tool.Name] = listed{ReadOnly: tool.ReadOnly, Destructive: tool.Name == demo.RefundOrder || tool.Name == demo.DeleteCustomer}
	}
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		session := connect(t, o, nil)
		got := map[string]listed{}
		for tool, err := range session.Tools(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			hint := tool.Annotations.DestructiveHint
			got[tool.Name] = listed{ReadOnly: tool.Annotations.ReadOnlyHint, Destructive: hint != nil && *hint}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tools (-want +got):\n%s", diff)
		}
	})
}

func TestCatalogueLevels(t *testing.T) {
	got := map[string]string{}
	for _, tool := range demo.Tools() {
		got[tool.Name] = tool.SensitivityLevel
	}
	want := map[string]string{
		"search_tickets": "low", "scan_archive": "low",
		"read_customer": "medium", "run_report": "medium", "summarize_ticket": "medium", "escalate_ticket": "medium",
		"refund_order": "medium", "delete_customer": "critical",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

func TestCacheableResultsCarryTTLAndScope(t *testing.T) {
	session := connect(t, demo.Options{TTL: 5 * time.Second}, nil)
	ctx := t.Context()
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: demo.RefundRulesURI})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: "helpdesk://tickets/T-100"})
	if err != nil {
		t.Fatal(err)
	}
	got := []mcp.Cacheable{tools.Cacheable, rules.Cacheable, ticket.Cacheable}
	want := []mcp.Cacheable{
		{TTLMs: 5000, CacheScope: "public"},
		{TTLMs: 5000, CacheScope: "public"},
		{TTLMs: 5000, CacheScope: "private"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cache fields (-want +got):\n%s", diff)
	}
}

func TestStatelessServerAnswersALegacyCallOnItsOwn(t *testing.T) {
	server, err := demo.NewServer(demo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	c := testkit.Dial(t, web.URL)
	c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_customer","arguments":{"customer_id":"C-3"}}}`)
	want := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Customer C-3 is deleted."}]}}`
	if diff := cmp.Diff(want, c.ReadHead().ReadData()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}
