package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrChain is wrapped by Verify's error: the tuple is not the one that was sealed at this place of the chain.
var ErrChain = errors.New("audit chain broken")

// leafPrefix begins the hashed bytes of an event, so that no event can pass for a node of a Merkle tree (RFC 6962, section
// 2.1: leaves are hashed after 0x00, nodes after 0x01).
const leafPrefix = 0x00

// GenesisHash is the head of a writer's chain before its first event: SHA-256 of the chain's version and the writer.
func GenesisHash(writer uuid.UUID) [32]byte {
	return sha256.Sum256(append([]byte("sark audit chain 1\x00"), writer[:]...))
}

// Chain numbers the events of one writer and makes each event's hash cover the one before it. A Chain is used by one
// goroutine at a time.
type Chain struct {
	writer uuid.UUID
	seq    int64
	head   [32]byte
	link   *Link
}

// NewChain continues a writer's chain after the event numbered seq, whose hash is head; a new chain begins after 0 and
// GenesisHash.
func NewChain(writer uuid.UUID, seq int64, head [32]byte) *Chain {
	return &Chain{writer: writer, seq: seq, head: head, link: NewLink()}
}

// Seq is the number of the last sealed event, 0 before the first.
func (c *Chain) Seq() int64 { return c.seq }

// Head is the hash of the last sealed event.
func (c *Chain) Head() [32]byte { return c.head }

// Seal gives a tuple the next number and writes writer, number and hash over the tuple's last three fields. It allocates
// nothing and returns the number.
func (c *Chain) Seal(tuple []byte) int64 {
	c.seq++
	end := tuple[len(tuple)-tail:]
	copy(end[4:], c.writer[:])
	binary.BigEndian.PutUint64(end[writerField+4:], uint64(c.seq)) //nolint:gosec // numbers begin at 1
	c.head = c.link.Hash(c.head, tuple)
	copy(end[tail-32:], c.head[:])
	return c.seq
}

// Verify checks that a tuple is the next event of the chain, and moves on to it. Its error wraps ErrChain or ErrTuple.
func (c *Chain) Verify(tuple []byte) error {
	writer, seq, sum, err := Place(tuple)
	if err != nil {
		return err
	}
	if writer != c.writer || seq != c.seq+1 {
		return fmt.Errorf("%w: writer %s seq %d where writer %s seq %d was due", ErrChain, writer, seq, c.writer, c.seq+1)
	}
	c.head = c.link.Hash(c.head, tuple)
	c.seq = seq
	if c.head != sum {
		return fmt.Errorf("%w: writer %s seq %d was changed, or an event before it", ErrChain, writer, seq)
	}
	return nil
}

// Place reads writer, number and hash from the end of a tuple without decoding the rest.
func Place(tuple []byte) (writer uuid.UUID, seq int64, sum [32]byte, err error) {
	if len(tuple) < tail+2 {
		return writer, 0, sum, fmt.Errorf("%w: %d bytes", ErrTuple, len(tuple))
	}
	end := tuple[len(tuple)-tail:]
	if binary.BigEndian.Uint32(end) != 16 || binary.BigEndian.Uint32(end[writerField:]) != 8 ||
		binary.BigEndian.Uint32(end[writerField+seqField:]) != 32 {
		return writer, 0, sum, fmt.Errorf("%w: writer, seq and hash are not its last columns", ErrTuple)
	}
	copy(writer[:], end[4:])
	copy(sum[:], end[tail-32:])
	return writer, int64(binary.BigEndian.Uint64(end[writerField+4:])), sum, nil //nolint:gosec // two's complement on purpose
}
