// Package testkit holds what tests of the gateway put on both of its sides.
//
//   - [Upstream] is an HTTP/1.1 server on real TCP that records every request
//     as it came and answers by script: whole replies, chunks, events released
//     one by one, cuts in the middle, silence.
//   - [MCPUpstream] is an Upstream that answers MCP methods of both protocol
//     eras from a table.
//   - [RawClient] writes exact bytes to a TCP connection and reads what comes
//     back piece by piece, with the time of arrival.
//   - [Signer] is an identity provider: a key pair, a JWKS URL, signed tokens.
//   - [Postgres] is an empty database on a real server, [Timescale] one with
//     TimescaleDB; [StartPostgres] is the server of a test process.
//
// Connections are real because buffering in memory hides the faults that
// matter: departed clients, half-sent replies, events that arrive late.
//
// Nothing here sleeps. Waiting is for a signal, bounded by [Patience], and a
// wait that runs out fails the test. Everything ends with the test that made
// it, through its Cleanup.
//
// The package knows HTTP, SSE and JSON-RPC on its own, without the gateway's
// parsers, so that a mistake in those cannot hide itself. It is imported by
// tests only.
package testkit
