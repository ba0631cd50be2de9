//go:build !race

package authz_test

import (
	"testing"

	"sark/authz"
)

// TestHitsDoNotAllocate: a remembered decision is on the way of every request. The race detector makes pools forget at
// random, so it is left out there.
func TestHitsDoNotAllocate(t *testing.T) {
	for name, o := range map[string]authz.Options{
		"default": {}, "13 paths": {Bundle: writeFiles(t, map[string]string{"p.rego": thirteen})},
	} {
		e, in := open(t, o), callTool(analyst(), sqlArguments)
		allocs := testing.AllocsPerRun(200, func() { e.Decide(t.Context(), in) })
		if allocs >= 1 { // the pool may be emptied once in a while
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
