//go:build !race

package cachemw_test

import (
	"testing"

	"sark/cachemw"
)

// TestNewKeysDoesNotAllocate is left out of race builds, where a sync.Pool drops what it is given at random.
func TestNewKeysDoesNotAllocate(t *testing.T) {
	p := usual()
	if n := testing.AllocsPerRun(1000, func() { cachemw.NewKeys(p.KeyParts) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
