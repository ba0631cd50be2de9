// Package authz is the policy decision point: it asks an embedded Open Policy Agent whether a principal may do an action
// on a resource, and what an allow demands in return.
//
// It promises a Decision for every Input and no error: a policy that is absent, undefined, broken or slow is a deny with a
// reason. One decision never mixes two revisions of the policy: each reads one immutable snapshot of compiler and data,
// which the OPA SDK's bundles replace as a whole. It knows nothing of HTTP and does not enforce: obligations are returned,
// and whoever enforces must deny what it cannot fulfil.
package authz
