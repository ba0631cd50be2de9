// Package store names what SARK keeps: the registry of MCP servers, API keys and the audit trail, and moves the trail from
// the spool to its database.
//
// It promises that an event which the spool holds reaches the sink exactly once, whatever crashes in between, and that one
// row that no database can take does not stop the others. The databases themselves live in the folders below; this package
// knows no SQL and nothing of requests.
package store
