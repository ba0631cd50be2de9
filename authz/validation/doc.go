// Package validation judges a policy that somebody sent: does it compile, what does lint say, and what does it answer to the
// cases that came with it?
//
// The policy is not trusted. It has no functions that reach outside, each evaluation and all of them together are bounded in
// time, and nothing of it comes into force. Memory is bounded by time alone, so who may ask should be few.
package validation
