package audit_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"sark/internal/audit"
)

// rootOf is the definition of RFC 6962, section 2.1, word for word.
func rootOf(leaves [][32]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	left, right := rootOf(leaves[:k]), rootOf(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

// leafOf is the leaf of an event whose predecessor is in the batch, or is not.
func leafOf(t *testing.T, tuple []byte, follows bool) [32]byte {
	t.Helper()
	_, _, sum, err := audit.Place(tuple)
	if err != nil {
		t.Fatal(err)
	}
	if follows {
		return sum
	}
	return sha256.Sum256(append([]byte{0}, tuple...))
}

func TestTreeIsThatOfRFC6962(t *testing.T) {
	tuples := sealed(40)
	tree := audit.NewTree()
	for n := range tuples {
		tree.Reset()
		var leaves [][32]byte
		for i, tuple := range tuples[:n] {
			if err := tree.Add(tuple); err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leafOf(t, tuple, i > 0))
		}
		if tree.Root() != rootOf(leaves) {
			t.Errorf("root of %d events differs from the definition", n)
		}
	}
}

func TestTreeCoversTheEventAfterAHole(t *testing.T) {
	tuples := slices.Delete(sealed(5), 2, 3)
	tree := audit.NewTree()
	var leaves [][32]byte
	for i, tuple := range tuples {
		if err := tree.Add(tuple); err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leafOf(t, tuple, i != 0 && i != 2))
	}
	if tree.Root() != rootOf(leaves) {
		t.Error("the event after the hole is not covered by its columns")
	}
}

func TestTreeRefusesWhatIsNoTuple(t *testing.T) {
	if err := audit.NewTree().Add([]byte("short")); !errors.Is(err, audit.ErrTuple) {
		t.Errorf("error %v", err)
	}
}

func BenchmarkTree(b *testing.B) {
	tuples := sealed(1000)
	tree := audit.NewTree()
	b.ReportAllocs()
	for b.Loop() {
		tree.Reset()
		for _, tuple := range tuples {
			if err := tree.Add(tuple); err != nil {
				b.Fatal(err)
			}
		}
		tree.Root()
	}
}
