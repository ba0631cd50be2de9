package audit

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// NewID returns a UUID of version 7 (RFC 9562, section 5.7) whose 48-bit time is t's milliseconds, so that an event's id
// and its timestamp come from one clock read. Its 74 random bits are not a secret.
func NewID(t time.Time) uuid.UUID {
	var id uuid.UUID
	ms := uint64(t.UnixMilli())
	high, low := rand.Uint64(), rand.Uint64() //nolint:gosec // an id is no secret, and crypto/rand costs ten times as much
	binary.BigEndian.PutUint64(id[:8], ms<<16|high&0xfff|0x7000)
	binary.BigEndian.PutUint64(id[8:], low>>2|0x8000000000000000)
	return id
}
