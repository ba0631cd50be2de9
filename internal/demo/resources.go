package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// URIs of the fixed resources and of the template.
const (
	RefundRulesURI    = "helpdesk://rules/refunds"
	PrivacyRulesURI   = "helpdesk://rules/privacy"
	TicketURITemplate = ticketPrefix + "{id}"

	ticketPrefix = "helpdesk://tickets/"
)

const (
	refundRules = "# Refunds\n\nUp to 100 EUR an agent decides alone. Above that a supervisor does.\n"

	privacyRules = "# Privacy\n\nContact data stays in the helpdesk. A deletion request is carried out within a week.\n"
)

// addResources registers the company's rules and the template for tickets.
func (d *desk) addResources(s *mcp.Server) {
	s.AddResource(&mcp.Resource{
		URI: RefundRulesURI, Name: "refund_rules", Title: "Refund rules", MIMEType: "text/markdown",
	}, fixedText(refundRules))
	s.AddResource(&mcp.Resource{
		URI: PrivacyRulesURI, Name: "privacy_rules", Title: "Privacy rules", MIMEType: "text/markdown",
	}, fixedText(privacyRules))
	s.AddResourceTemplate(&mcp.ResourceTemplate{
		URITemplate: TicketURITemplate, Name: "ticket", Title: "One ticket", MIMEType: "application/json",
	}, d.readTicket)
}

func fixedText(content string) mcp.ResourceHandler {
	return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return contents(req.Params.URI, content), nil
	}
}

// readTicket answers the URIs that match the ticket template.
func (d *desk) readTicket(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	uri := req.Params.URI
	t, err := d.ticket(strings.TrimPrefix(uri, ticketPrefix))
	if err != nil {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	body, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode ticket %s: %w", t.ID, err)
	}
	return contents(uri, string(body)), nil
}

// contents is a read result with one text; the SDK fills in the media type the
// resource was registered with.
func contents(uri, body string) *mcp.ReadResourceResult {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, Text: body}}}
}
