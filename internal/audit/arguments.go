package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// ArgumentHasher computes the keyed hash by which a call's arguments are recorded: HMAC-SHA-256 (RFC 2104) of their
// canonical form. Two calls with equal arguments have equal hashes; without the key nobody can confirm a guess.
//
// It is for any number of goroutines and allocates nothing in the steady state.
type ArgumentHasher struct {
	inner, outer [sha256.BlockSize]byte // the key, padded and mixed with RFC 2104's ipad and opad
}

// HashSize is the length of an argument hash in hexadecimal digits.
const HashSize = 2 * sha256.Size

// NewArgumentHasher returns a hasher under key, of any length; at least 32 random bytes are advised.
func NewArgumentHasher(key []byte) *ArgumentHasher {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	h := new(ArgumentHasher)
	copy(h.inner[:], key)
	copy(h.outer[:], key)
	for i := range h.inner {
		h.inner[i] ^= 0x36
		h.outer[i] ^= 0x5c
	}
	return h
}

// Append appends the hash of the JSON value arguments in hexadecimal, HashSize digits. Arguments that have no canonical form
// are hashed as they are. No arguments have no hash.
func (h *ArgumentHasher) Append(dst, arguments []byte) []byte {
	if len(arguments) == 0 {
		return dst
	}
	buf := hashPool.Get().(*[]byte)
	defer hashPool.Put(buf)
	message := append((*buf)[:0], h.inner[:]...)
	canonical, err := AppendCanonical(message, arguments)
	if err != nil {
		canonical = append(message, arguments...)
	}
	*buf = canonical
	return hex.AppendEncode(dst, h.finish(canonical))
}

// finish takes the padded key and the message, and returns the sum in the message's own memory.
func (h *ArgumentHasher) finish(padded []byte) []byte {
	sum := sha256.Sum256(padded)
	padded = append(append(padded[:0], h.outer[:]...), sum[:]...)
	sum = sha256.Sum256(padded)
	return append(padded[:0], sum[:]...)
}

var hashPool = sync.Pool{New: func() any { return new([]byte) }}
