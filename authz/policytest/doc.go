// Package policytest tests policies: it runs the Rego tests that lie beside them, asks them about calls of MCP that are
// written down in YAML with the expected answers, and says which lines neither has reached.
//
// A case goes the way of a real message: it is parsed as one, described to the policy as one, and decided by the code that
// decides for the gateway. It promises that a case without an expectation, with an unknown field or of the wrong type is an
// error and never a success. It knows nothing of files that are named on a command line but how to read them.
package policytest
