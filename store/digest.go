package store

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// ErrDigest is wrapped by the error about a digest that nobody who is trusted has signed.
var ErrDigest = errors.New("digest is not signed")

// Digest is what a gateway signs of each batch of events that it stores: which numbers, and the Merkle root of the events
// with these numbers. Each digest names the one before it, so that the digests of a writer are a chain too.
type Digest struct {
	Writer uuid.UUID
	// First and Last are the numbers that the batch accounts for, without a hole to the digests before and after it. Numbers
	// in between without an event were lost before they could be stored.
	First, Last int64
	// Root is that of audit.Tree over the events.
	Root [32]byte
	// Previous is the Hash of the writer's digest before, audit.GenesisHash for the first.
	Previous [32]byte
	// CreatedAt is when the batch was stored, in UTC with microseconds.
	CreatedAt time.Time
	// KeyID is the KeyID of the key that signed.
	KeyID string
	// Signature is that of Ed25519 (RFC 8032) over the statement.
	Signature []byte
}

// statementVersion begins the signed bytes, so that a signature of this key over something else is none of a digest.
const statementVersion = "sark audit digest 1\x00"

// statement is what is signed: version, writer, first and last number, root, previous digest, time in microseconds since
// 1970 and key id, the numbers in 8 bytes with the highest first.
func (d *Digest) statement() []byte {
	b := make([]byte, 0, 192)
	b = append(b, statementVersion...)
	b = append(b, d.Writer[:]...)
	for _, n := range [...]int64{d.First, d.Last} {
		b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // two's complement on purpose
	}
	b = append(b, d.Root[:]...)
	b = append(b, d.Previous[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(d.CreatedAt.UnixMicro()))
	return append(b, d.KeyID...)
}

// Hash is SHA-256 over statement and signature: what the next digest names as the previous one.
func (d *Digest) Hash() [32]byte { return sha256.Sum256(append(d.statement(), d.Signature...)) }

// sign completes a digest.
func (d *Digest) sign(key *DigestKey) {
	d.KeyID = key.ID()
	d.Signature = ed25519.Sign(key.private, d.statement())
}

// Check reports whether one of the given keys has signed the digest. Its error wraps ErrDigest.
func (d *Digest) Check(keys []ed25519.PublicKey) error {
	for _, key := range keys {
		if KeyID(key) != d.KeyID {
			continue
		}
		if ed25519.Verify(key, d.statement(), d.Signature) {
			return nil
		}
		return fmt.Errorf("%w: its signature by key %s is wrong", ErrDigest, d.KeyID)
	}
	return fmt.Errorf("%w: key %q is not trusted", ErrDigest, d.KeyID)
}

// rootOf is the Merkle root of a batch.
func rootOf(tree *audit.Tree, tuples [][]byte) ([32]byte, error) {
	tree.Reset()
	for _, tuple := range tuples {
		if err := tree.Add(tuple); err != nil {
			return [32]byte{}, err
		}
	}
	return tree.Root(), nil
}
