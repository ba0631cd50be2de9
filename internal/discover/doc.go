// Package discover asks an MCP server for its tools, as a client of the official SDK: that speaks both protocol eras, and
// a discovery should see what any client would see.
//
// The address comes from whoever registered the server, so the server is not trusted: a discovery has bounded time, bytes and
// tools, sends no credentials, follows no redirect, speaks to no other host than the one it was given, and does not connect
// to an address that a registered server may not have, whatever the name resolves to (see package endpoint).
//
// It also says what the words of a tool suggest about its sensitivity. That is a suggestion: the level in force is for people
// to set.
package discover
