// Package demo holds what the demonstration binary shows: an example MCP
// server that plays a small company's helpdesk.
//
// The server is a real one, built on the official Go SDK and served over the
// Streamable HTTP transport in both protocol eras: with sessions (revisions up
// to 2025-11-25) or without (2026-07-28 and, for older clients, one-off legacy
// requests). Its tools differ in sensitivity, so that a policy has something to
// decide on, and [Tools] is the catalogue a gateway in front of it is
// configured with.
//
// Everything it knows is in memory and the same at every start. It performs no
// access control of its own: that is the point of the demonstration.
package demo
