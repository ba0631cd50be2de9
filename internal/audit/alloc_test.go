//go:build !race

package audit_test

import (
	"testing"

	"sark/internal/audit"
)

// The race detector makes sync.Pool forget at random, so that this cannot be counted under it.

func TestHashingAllocatesNothing(t *testing.T) {
	h := audit.NewArgumentHasher([]byte("key"))
	args := []byte(`{"order":"A-17","amount":12.50,"lines":[{"sku":"x","n":2}]}`)
	buf := h.Append(nil, args)
	if n := testing.AllocsPerRun(100, func() { buf = h.Append(buf[:0], args) }); n > 0.1 { // a collection may empty the pool
		t.Errorf("%v allocations", n)
	}
}
