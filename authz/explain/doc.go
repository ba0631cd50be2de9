// Package explain says why a policy answers as it does: which rules held, where each of the others stopped, and what of the
// input was missing there.
//
// It evaluates once more, with every rule tried, so that also those show up that the engine need not look at. It promises
// that the answer which it explains is the one that it prints. Whether that is the answer of a recorded decision depends on
// policy and input being the same, which is for the caller to compare.
package explain
