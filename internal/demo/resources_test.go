package demo_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/demo"
)

func TestResources(t *testing.T) {
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		session := connect(t, o, nil)
		var listed []string
		for r, err := range session.Resources(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, r.URI)
		}
		for r, err := range session.ResourceTemplates(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, r.URITemplate)
		}
		want := []string{demo.PrivacyRulesURI, demo.RefundRulesURI, demo.TicketURITemplate}
		if diff := cmp.Diff(want, listed); diff != "" {
			t.Errorf("resources (-want +got):\n%s", diff)
		}
		ticket, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "helpdesk://tickets/T-101"})
		if err != nil {
			t.Fatal(err)
		}
		wantTicket := []*mcp.ResourceContents{{
			URI: "helpdesk://tickets/T-101", MIMEType: "application/json",
			Text: `{"id":"T-101","customer_id":"C-2","order_id":"O-2","status":"open","subject":"Invoice is missing","body":"Please send the invoice again."}`,
		}}
		if diff := cmp.Diff(wantTicket, ticket.Contents); diff != "" {
			t.Errorf("ticket (-want +got):\n%s", diff)
		}
		if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "helpdesk://tickets/T-999"}); err == nil {
			t.Error("a ticket that does not exist was read")
		}
	})
}

func TestPrompts(t *testing.T) {
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		session := connect(t, o, nil)
		var names []string
		for p, err := range session.Prompts(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, p.Name)
		}
		if diff := cmp.Diff([]string{demo.ReplyPrompt, demo.TriagePrompt}, names); diff != "" {
			t.Errorf("prompts (-want +got):\n%s", diff)
		}
		reply, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{
			Name: demo.ReplyPrompt, Arguments: map[string]string{"ticket_id": "T-100"},
		})
		if err != nil {
			t.Fatal(err)
		}
		content := reply.Messages[0].Content.(*mcp.TextContent).Text
		if !strings.Contains(content, "Lamp arrived broken") {
			t.Errorf("the prompt does not hold the ticket: %q", content)
		}
		_, err = session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: demo.ReplyPrompt})
		if err == nil || !strings.Contains(err.Error(), `no ticket ""`) {
			t.Errorf("prompt without its argument: %v", err)
		}
	})
}
