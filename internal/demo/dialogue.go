package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Both tools of this file ask something back before they answer. They return
// input requests (SEP-2322): a 2026-07-28 client gets these as an
// input_required result and calls again, while for a session of an older
// revision the SDK sends elicitation/create or sampling/createMessage on the
// open stream and waits for the client's reply. A legacy client of a server
// without sessions cannot be asked and gets an error.

// Keys under which the answers come back.
const (
	reasonKey  = "reason"
	summaryKey = "summary"
)

// maxSummaryTokens bounds what the client's model is asked to produce.
const maxSummaryTokens = 200

type ticketArgs struct {
	TicketID string `json:"ticket_id" jsonschema:"for example T-100"`
}

// escalateTicket asks the user why, and writes the answer to the ticket.
func (d *desk) escalateTicket(_ context.Context, req *mcp.CallToolRequest, in ticketArgs) (*mcp.CallToolResult, any, error) {
	t, err := d.ticket(in.TicketID)
	if err != nil {
		return nil, nil, err
	}
	answer, ok := req.Params.InputResponses[reasonKey].(*mcp.ElicitResult)
	if !ok {
		return askReason(t), nil, nil
	}
	if answer.Action != "accept" {
		return text("Ticket %s is not escalated: the user chose to %s.", t.ID, answer.Action), nil, nil
	}
	reason, _ := answer.Content[reasonKey].(string)
	if reason == "" {
		return nil, nil, errors.New("the answer holds no reason")
	}
	n, err := d.escalate(t.ID, reason)
	if err != nil {
		return nil, nil, err
	}
	return text("Ticket %s is escalated (%d): %s", t.ID, n, reason), nil, nil
}

func askReason(t ticket) *mcp.CallToolResult {
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{
		reasonKey: &mcp.ElicitParams{
			Mode:    "form",
			Message: fmt.Sprintf("Why should ticket %s (%s) be escalated?", t.ID, t.Subject),
			RequestedSchema: json.RawMessage(
				`{"type":"object","properties":{"reason":{"type":"string","title":"Reason"}},"required":["reason"]}`),
		},
	}}
}

// summarizeTicket has the client's model write a summary of the ticket.
func (d *desk) summarizeTicket(_ context.Context, req *mcp.CallToolRequest, in ticketArgs) (*mcp.CallToolResult, any, error) {
	t, err := d.ticket(in.TicketID)
	if err != nil {
		return nil, nil, err
	}
	//nolint:staticcheck // sampling is deprecated by SEP-2577 and still spoken; the example shows it under policy
	answer, ok := req.Params.InputResponses[summaryKey].(*mcp.CreateMessageWithToolsResult)
	if !ok {
		return askSummary(t), nil, nil
	}
	for _, c := range answer.Content {
		if written, ok := c.(*mcp.TextContent); ok {
			return text("Summary of %s by %s: %s", t.ID, answer.Model, written.Text), nil, nil
		}
	}
	return nil, nil, errors.New("the model's answer holds no text")
}

func askSummary(t ticket) *mcp.CallToolResult {
	question := fmt.Sprintf("Summarize this helpdesk ticket in one sentence.\n\n%s\n\n%s", t.Subject, t.Body)
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{
		//nolint:staticcheck // sampling is deprecated by SEP-2577 and still spoken; the example shows it under policy
		summaryKey: &mcp.CreateMessageParams{
			MaxTokens: maxSummaryTokens,
			//nolint:staticcheck // see above
			Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: question}}},
		},
	}}
}
