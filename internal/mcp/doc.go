// Package mcp reads and writes what travels between MCP clients and servers over HTTP: JSON-RPC messages of both protocol
// eras, the policy-relevant parts of each method, and server-sent event frames.
//
// It promises that what Parse accepted is what any strict JSON reader would see: no duplicate keys, no ambiguous escapes,
// no bytes after the message. It never changes the bytes it read, so a gateway forwards exactly what it decided on.
// It knows nothing of HTTP servers, identities, policies or storage.
package mcp
