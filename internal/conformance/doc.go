// Package conformance holds the gateway to the MCP conformance suite: behind SARK, with a policy that allows
// everything, the reference servers must answer every check exactly as they do when asked directly: with the cache on and
// with the cache off, and as several servers behind one gateway that speaks TLS to both sides.
//
// It promises pinned inputs: the npm suite and its Node by a lockfile with integrity hashes, the reference servers by
// module version. It compares check by check, never totals alone, because a check that breaks may hide behind one that
// heals.
//
// It refuses to judge the reference servers: what they fail directly, they may fail through the gateway too. The tests
// that need the suite are behind the build tag conformance; run them with `make conformance`.
package conformance
