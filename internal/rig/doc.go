// Package rig runs the real binaries as child processes, for the harnesses that look at SARK from outside: the
// conformance gate and the benchmark.
//
// It promises that a child ends with its parent, that nobody waits for readiness by sleeping, and that a gateway comes
// up on free loopback ports from a configuration file like an operator's. What a child costs is read from /proc.
//
// It refuses to know what is measured or checked, and it imports nothing else of SARK: whatever a rig sees, a user sees.
package rig
