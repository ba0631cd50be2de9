// Package lint finds in policies what loads and yet is seldom meant: grants without a condition, functions that a gateway
// should not call while it decides, and what makes every decision slow.
//
// It looks at the source as it was written and at what the engine knows of the compiled policy. It promises no proof: a
// policy without findings may still allow too much, which is what tests are for.
package lint
