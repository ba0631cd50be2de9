package demo

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The names of the prompts.
const (
	TriagePrompt = "triage"
	ReplyPrompt  = "reply_to_ticket"
)

// addPrompts registers one prompt without arguments and one with.
func (d *desk) addPrompts(s *mcp.Server) {
	s.AddPrompt(&mcp.Prompt{
		Name: TriagePrompt, Title: "Triage", Description: "Sorts the open tickets by urgency.",
	}, d.triage)
	s.AddPrompt(&mcp.Prompt{
		Name: ReplyPrompt, Title: "Reply to a ticket", Description: "Drafts a reply to the customer.",
		Arguments: []*mcp.PromptArgument{{Name: "ticket_id", Description: "for example T-100", Required: true}},
	}, d.reply)
}

func (d *desk) triage(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	return userMessage("Read the open tickets with search_tickets and sort them, most urgent first."), nil
}

func (d *desk) reply(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	t, err := d.ticket(req.Params.Arguments["ticket_id"])
	if err != nil {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: err.Error()}
	}
	return userMessage(fmt.Sprintf("Write a short, friendly reply to this ticket.\n\n%s\n\n%s", t.Subject, t.Body)), nil
}

func userMessage(content string) *mcp.GetPromptResult {
	return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{
		Role:    "user",
		Content: &mcp.TextContent{Text: content},
	}}}
}
