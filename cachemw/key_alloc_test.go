//go:build !race

package cachemw_test

import (
	"testing"

	"sark/cachemw"
)

// TestNewKeyDoesNotAllocate is left out of race builds, where a sync.Pool drops what it is given at random.
func TestNewKeyDoesNotAllocate(t *testing.T) {
	p := usual()
	if n := testing.AllocsPerRun(1000, func() { cachemw.NewKeys(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
