// Package authz is the policy decision point: it asks an embedded Open Policy Agent whether a principal may do an action
// on a resource, and what an allow demands in return.
//
// It promises a Decision for every Input and no error: a policy that is absent, undefined, broken or slow is a deny with a
// reason. One decision never mixes two revisions of the policy: each reads one immutable snapshot of compiler and data,
// which the OPA SDK's bundles replace as a whole.
//
// A decision takes one way: snapshot, memo, interpreter. When a policy comes into force its compiled rules are followed from
// the entry point, to find every part of the input that they can read and every function whose result depends on more than
// its arguments (see Analysis). A policy without the latter is memoised: the values of those parts, encoded so that
// whatever a policy can tell apart is different, are the key of its decision, and are compared byte for byte. The memo is
// part of the snapshot, so nothing outlives the policy and the data that it was made from. A hit is a decision of its own,
// with its own ID; it differs from what the interpreter would have said in its Tier alone. Input documents hold what can be
// read and no more.
//
// It knows nothing of HTTP and does not enforce: obligations are returned,
// and whoever enforces must deny what it cannot fulfil.
package authz
