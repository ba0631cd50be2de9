package demo

import "github.com/modelcontextprotocol/go-sdk/mcp"

// The names of the tools, as clients call them.
const (
	SearchTickets   = "search_tickets"
	ReadCustomer    = "read_customer"
	RunReport       = "run_report"
	ScanArchive     = "scan_archive"
	SummarizeTicket = "summarize_ticket"
	EscalateTicket  = "escalate_ticket"
	RefundOrder     = "refund_order"
	DeleteCustomer  = "delete_customer"
)

// Tool is one entry of the operator's catalogue: what the gateway should know
// about a tool without trusting the server's own annotations.
type Tool struct {
	Name             string
	SensitivityLevel string // low, medium, high or critical
	ReadOnly         bool   // a call changes nothing
}

// Tools returns the catalogue, least sensitive first. The slice is the
// caller's.
func Tools() []Tool {
	entries := catalogue()
	tools := make([]Tool, len(entries))
	for i, e := range entries {
		tools[i] = e.Tool
	}
	return tools
}

// entry is a catalogue entry together with what the server itself tells
// clients about the tool.
type entry struct {
	Tool
	title       string
	description string
	additive    bool // changes add and never overwrite or remove
	repeatable  bool // the same call twice changes no more than once
}

// catalogue is the one table of tools. It is built on each call because its
// users change what they get.
func catalogue() []entry {
	return []entry{
		{Tool: Tool{SearchTickets, "low", true}, title: "Search tickets", description: "Finds tickets by words in their subject, and by status (open or closed)."},
		{Tool: Tool{ScanArchive, "low", true}, title: "Scan the archive", description: "Walks through the ticket archive slowly and reports progress at each step."},
		{Tool: Tool{ReadCustomer, "medium", true}, title: "Read customer", description: "Reads one customer's record, contact data included."},
		{Tool: Tool{RunReport, "medium", true}, title: "Run report", description: "Computes a report: tickets_by_status or refunds."},
		{Tool: Tool{SummarizeTicket, "medium", true}, title: "Summarize ticket", description: "Asks the client's language model for a summary of one ticket (sampling)."},
		{Tool: Tool{EscalateTicket, "medium", false}, title: "Escalate ticket", description: "Asks the user for the reason (elicitation) and adds an escalation to the ticket.", additive: true},
		{Tool: Tool{RefundOrder, "medium", false}, title: "Refund order", description: "Pays money back for one order."},
		{Tool: Tool{DeleteCustomer, "critical", false}, title: "Delete customer", description: "Removes a customer and the customer's data for good.", repeatable: true},
	}
}

// definition is the tool as tools/list shows it; schemas are inferred later.
func (e entry) definition() *mcp.Tool {
	hints := &mcp.ToolAnnotations{
		Title:         e.title,
		ReadOnlyHint:  e.ReadOnly,
		OpenWorldHint: new(false),
	}
	if !e.ReadOnly {
		hints.DestructiveHint = new(!e.additive)
		hints.IdempotentHint = e.repeatable
	}
	return &mcp.Tool{Name: e.Name, Title: e.title, Description: e.description, Annotations: hints}
}
