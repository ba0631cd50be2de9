package audit

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"math/bits"
)

// nodePrefix begins the hashed bytes of an inner node (RFC 6962, section 2.1).
const nodePrefix = 0x01

// Tree computes the Merkle tree hash of RFC 6962, section 2.1, over the events of one batch. It keeps one hash for each
// level, whatever the number of events. Make one with NewTree; one goroutine uses it at a time.
//
// The leaf of an event is its hash in the chain, which covers its columns and the event before it. Where the event before it
// is not in the batch (it is the first, or numbers before it are missing) the leaf is SHA-256(0x00 || sealed tuple) instead.
// So the root covers every column of every event of the batch, whether or not anything else of the chain is still there.
type Tree struct {
	sha    hash.Hash
	levels [64][32]byte // levels[i] is the root of a full subtree of 2^i leaves, if bit i of size is set
	size   uint64
	last   int64 // the number of the event that was added last
	node   [1 + 32 + 32]byte
	sum    [32]byte
}

// NewTree makes an empty tree.
func NewTree() *Tree { return &Tree{sha: sha256.New()} }

// Reset empties the tree for the next batch.
func (t *Tree) Reset() { t.size = 0 }

// Add appends a sealed tuple. Its error wraps ErrTuple.
func (t *Tree) Add(tuple []byte) error {
	_, seq, leaf, err := Place(tuple)
	if err != nil {
		return fmt.Errorf("add a leaf: %w", err)
	}
	if t.size == 0 || seq != t.last+1 {
		leaf = t.hash([]byte{leafPrefix}, tuple)
	}
	t.last = seq
	t.push(leaf)
	return nil
}

// push adds a leaf as one adds 1 to a binary number: a full subtree that meets another of its size is joined with it.
func (t *Tree) push(sum [32]byte) {
	level := bits.TrailingZeros64(^t.size)
	for i := range level {
		sum = t.join(&t.levels[i], &sum)
	}
	t.levels[level] = sum
	t.size++
}

// Root is the hash of the tree; that of an empty tree is the SHA-256 of nothing.
func (t *Tree) Root() [32]byte {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	level := bits.TrailingZeros64(t.size)
	root := t.levels[level]
	for i := level + 1; i < bits.Len64(t.size); i++ {
		if t.size&(1<<i) != 0 {
			root = t.join(&t.levels[i], &root)
		}
	}
	return root
}

func (t *Tree) join(left, right *[32]byte) [32]byte {
	t.node[0] = nodePrefix
	copy(t.node[1:], left[:])
	copy(t.node[1+32:], right[:])
	return t.hash(t.node[:], nil)
}

func (t *Tree) hash(a, b []byte) [32]byte {
	t.sha.Reset()
	t.sha.Write(a)
	t.sha.Write(b)
	t.sha.Sum(t.sum[:0])
	return t.sum
}
