// Package bench measures what SARK adds to a request: an upstream asked directly, behind a bare fasthttp proxy that
// streams, and behind SARK with a verified token, a policy decision and a written audit event per call. RunCache measures
// the same of replies that come from the cache, against a handler that makes them by itself.
//
// It promises figures that can be compared: all variants in one run on one machine, in rounds whose order is turned
// round every other time, each variant a process of its own whose CPU time comes from the kernel. The best of the
// rounds estimates a quiet machine, the median says how quiet it was.
//
// It refuses to know SARK from inside: the gateway is the built binary with a configuration file.
package bench
