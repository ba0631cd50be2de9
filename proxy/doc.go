// Package proxy is the policy enforcement point: the data plane through which every request goes in one straight line.
//
//	accept        framing, exact path, verb, Host and Origin           listener.go, secure.go, inbound.go, forwarded.go
//	authenticate  credential to Principal                              identity.go
//	parse         strict reading of the bytes that will be forwarded   parse.go
//	session       only its owner may use a legacy session              session.go
//	decide        policy, and what an allow demands                    decide.go
//	lookup        answer from cache, only after an allow               lookup.go
//	limit         rate limits; a cache hit spends nothing              limit.go
//	reserve       room in the audit spool, and an intent               record.go
//	forward       upstream over pooled connections, or a local handler forward.go, endpoint.go, upstream.go, pool.go, dial.go, breaker.go, health.go, exchange_token.go, transport.go, lease.go, conn.go, metadata.go
//	respond       buffered or streamed, decided per reply              respond.go, stream.go, frames.go
//	filter        lists and obligations, in JSON and in event frames   filter.go
//	record        exactly one audit event, two for long streams        record.go
//
// Handler.Reload (generation.go) puts other options and another table of routes (routes.go) in force without a cut.
//
// Handler.Serve shows the line on one screen; Exchange is what it knows about one request. Refusals are Problems, and
// problem.go is the only place that writes one. The package promises that nothing goes upstream before an allow and a
// reserved place in the audit trail, and that each exchange is recorded exactly once however it ends. It knows neither
// how credentials are checked, nor how policies are evaluated, nor where caches and audit events live: it declares what it
// needs of each as a small interface.
package proxy
