package audit_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"sark/internal/audit"
)

var chainWriter = uuid.MustParse("6f2d5a52-3c0e-4f4e-9d59-0b6f3a8f1c11")

func sealed(n int) [][]byte {
	chain := audit.NewChain(chainWriter, 0, audit.GenesisHash(chainWriter))
	e := sampleEvent()
	tuples := make([][]byte, n)
	for i := range tuples {
		e.DurationUS = int64(i)
		tuples[i] = audit.AppendTuple(nil, &e)
		chain.Seal(tuples[i])
	}
	return tuples
}

// firstBroken returns the index at which verification fails, or -1.
func firstBroken(t *testing.T, tuples [][]byte) int {
	t.Helper()
	chain := audit.NewChain(chainWriter, 0, audit.GenesisHash(chainWriter))
	for i, tuple := range tuples {
		if err := chain.Verify(tuple); err != nil {
			if !errors.Is(err, audit.ErrChain) {
				t.Fatalf("error %v", err)
			}
			return i
		}
	}
	return -1
}

func TestChainFindsEveryChange(t *testing.T) {
	if at := firstBroken(t, sealed(5)); at != -1 {
		t.Fatalf("an untouched chain is broken at %d", at)
	}
	changed := sealed(5)
	changed[2][50] ^= 1
	swapped := sealed(5)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	for name, c := range map[string]struct {
		tuples [][]byte
		at     int
	}{
		"one bit":  {changed, 2},
		"deleted":  {slices.Delete(sealed(5), 3, 4), 3},
		"swapped":  {swapped, 1},
		"repeated": {slices.Insert(sealed(5), 1, sealed(1)[0]), 1},
	} {
		if at := firstBroken(t, c.tuples); at != c.at {
			t.Errorf("%s: broken at %d, want %d", name, at, c.at)
		}
	}
}

func TestChainContinuesAfterItsHead(t *testing.T) {
	tuples := sealed(3)
	_, seq, head, err := audit.Place(tuples[1])
	if err != nil || seq != 2 {
		t.Fatalf("seq %d, error %v", seq, err)
	}
	if err := audit.NewChain(chainWriter, seq, head).Verify(tuples[2]); err != nil {
		t.Error(err)
	}
}

func BenchmarkSeal(b *testing.B) {
	tuple := sealed(1)[0]
	chain := audit.NewChain(chainWriter, 0, audit.GenesisHash(chainWriter))
	b.ReportAllocs()
	for b.Loop() {
		chain.Seal(tuple)
	}
}
