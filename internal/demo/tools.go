package demo

import (
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// addTools registers every tool of the catalogue with its handler.
func (d *desk) addTools(s *mcp.Server) error {
	defs := make(map[string]*mcp.Tool)
	for _, e := range catalogue() {
		defs[e.Name] = e.definition()
	}
	report, err := reportSchema()
	if err != nil {
		return err
	}
	defs[RunReport].InputSchema = report
	mcp.AddTool(s, defs[SearchTickets], d.searchTickets)
	mcp.AddTool(s, defs[ScanArchive], d.scanArchive)
	mcp.AddTool(s, defs[ReadCustomer], d.readCustomer)
	mcp.AddTool(s, defs[RunReport], d.runReport)
	mcp.AddTool(s, defs[SummarizeTicket], d.summarizeTicket)
	mcp.AddTool(s, defs[EscalateTicket], d.escalateTicket)
	mcp.AddTool(s, defs[RefundOrder], d.refundOrder)
	mcp.AddTool(s, defs[DeleteCustomer], d.deleteCustomer)
	return nil
}

// reportSchema is the inferred schema of run_report with the name also mirrored
// into the header Mcp-Param-Report (MCP 2026-07-28, SEP-2243), so that the
// example exercises parameter headers. A client of that revision must send the
// header, and learns so from tools/list.
func reportSchema() (*jsonschema.Schema, error) {
	schema, err := jsonschema.For[reportArgs](nil)
	if err != nil {
		return nil, fmt.Errorf("infer the schema of %s: %w", RunReport, err)
	}
	schema.Properties["name"].Extra = map[string]any{"x-mcp-header": "Report"}
	return schema, nil
}

// text is a result that holds one piece of text.
func text(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}
