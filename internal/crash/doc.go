// Package crash has no code, only tests that look at gateways from outside while they are killed.
//
// One kills the whole gateway and the shipper again and again under load, stops their database and fills their disk, and then
// looks for every call that reached the MCP server: each must have left exactly one outcome in the trail.
//
// The other, TestChaos, is a town: two gateways that share PostgreSQL, Redis, an issuer of tokens and a policy, before an MCP
// server of each era, asked by several principals for everything that there is. Lanes, one for each thing that can go wrong,
// let it go wrong at the same time as all others. Nothing that the gateways say of themselves is believed: clients know what
// they asked and on whose behalf, the servers mark what they say with the asker and a version, and a list or a right is held
// against the version of the policy that every gateway was seen to decide by. It promises to find:
//
//   - an answer that is another principal's
//   - an answer older than an invalidation that was acknowledged, or heard on a stream
//   - a right that was taken and is granted, from cache or not, and a list that shows too much or too little
//   - what reached a server, or was answered, without exactly one outcome in the trail, and a chain that does not hold
//   - more limited calls than the gateways may let pass
//   - a reply that is neither an answer to the request nor a refusal of the failure table for which there was a reason
//   - a panic, a data race (the gateways have the detector when the test has it), goroutines that stay, and health that does
//     not come back by itself
//
// What it cannot judge it says where it does not: judge.holds, ask.excused. It does not look at memory: without a collection
// that a rig cannot ask for, a heap after load says little; `make soak` does.
//
// SARK_CRASH_SEED repeats the choices of a run, not their moments; SARK_CRASH_DURATION (for example 10m) makes it a long one, and
// `make chaos` runs the second alone.
package crash
