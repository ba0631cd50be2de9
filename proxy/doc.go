// Package proxy is the policy enforcement point: the data plane through which every request goes in one straight line.
//
//	accept        room, framing, exact path, verb, Host and Origin     accept.go, gate.go, forwarded.go, cors.go
//	authenticate  credential to Principal                              authenticate.go, challenge.go
//	parse         strict reading of the bytes that will be forwarded   parse.go, era.go, mirrors.go, batch.go
//	owned         a session, task or answer is only its owner's        owned.go, session.go, httpsse.go
//	decide        policy, and what an allow demands                    decide.go, redact.go, shadow.go
//	lookup        answer from cache, only after an allow               lookup.go, flight.go, plain.go
//	limit         rate limits; a cache hit spends nothing              limit.go, streams.go
//	reserve       room in the audit spool, and an intent               record.go
//	forward       an upstream, or a handler in this process            forward.go, headers.go, exchange_token.go, metadata.go
//	respond       from cache, buffered or streamed, decided per reply  respond.go, replay.go, stream.go, frames.go
//	filter        lists and obligations, in JSON and in event frames   filter.go, redact.go, serverside.go, inputrequests.go
//	record        exactly one audit event, two for long streams        record.go, event.go
//
// Handler.run in handler.go shows the line on one screen, and Exchange (exchange.go) is all that it knows about one request.
// Around the line:
//
//   - Refusals are Problems. A step hands one to Exchange.refuse, and problem.go is the only place that writes one.
//   - The server's side is server.go and listener.go; a connection passes redirect.go, proxyproto.go and secure.go (TLS) before
//     its first request. phase.go is the way down: leave, drain, abandon.
//   - The way to an MCP server is upstream.go: endpoint.go says where it is, pool.go keeps the connections that dial.go opens,
//     lease.go is one of them in use, transport.go sends over it and decides whether the reply is streamed, conn.go gives it
//     rolling deadlines and looks after the client meanwhile (peek.go), breaker.go and health.go keep requests away from a server
//     that is down.
//   - Replies enter the cache in fill.go, those of plain HTTP in plainfill.go.
//   - Room for a large body is asked for in arrival.go, before the server reads it.
//   - Bytes that an exchange holds in memory are charged to its principal in held.go; tally.go counts them, and open streams.
//   - Options (options.go) and the table of routes (routes.go) never change: Handler.Reload (generation.go) puts others in force
//     without a cut, and an exchange ends on those that it began on.
//
// The package promises that nothing goes upstream before an allow and a reserved place in the audit trail, and that each
// exchange is recorded exactly once however it ends. It knows neither how credentials are checked, nor how policies are
// evaluated, nor where caches and audit events live: it declares what it needs of each as a small interface, beside the step
// that calls it, and internal/app connects them.
package proxy
