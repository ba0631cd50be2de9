package audit

import (
	"crypto/sha256"
	"hash"
)

// Link computes the hashes of a chain. Make one with NewLink; one goroutine uses it at a time.
type Link struct {
	sha    hash.Hash // kept so that a hash allocates nothing
	prefix [1 + 32]byte
	sum    [32]byte
}

// NewLink makes a Link.
func NewLink() *Link { return &Link{sha: sha256.New()} }

// Hash returns SHA-256(0x00 || previous || tuple without its hash): the hash of a tuple that follows the event whose hash is
// previous. The tuple must be one that Place accepts.
func (l *Link) Hash(previous [32]byte, tuple []byte) [32]byte {
	l.prefix[0] = leafPrefix
	copy(l.prefix[1:], previous[:])
	l.sha.Reset()
	l.sha.Write(l.prefix[:])
	l.sha.Write(tuple[:len(tuple)-hashField])
	l.sha.Sum(l.sum[:0])
	return l.sum
}
