package authz

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// stamp makes id the id of a decision on a question of time t: a UUID of version 7 (RFC 9562, section 5.7) with a fraction
// of the millisecond in rand_a (section 6.2, method 3). The 62 random bits tell the decisions of one moment apart. Ids are
// no secrets, so the runtime's generator (ChaCha8, seeded by the operating system) will do; uuid.NewV7 takes a lock that all
// callers share, and five times as long. It writes in place: a processor that copies sixteen bytes which were just written
// as two halves has to wait for both, for longer than it took to make them.
func stamp(id *uuid.UUID, t time.Time) {
	ms, below := t.UnixMilli(), t.Nanosecond()%int(time.Millisecond)
	fraction := below << 12 / int(time.Millisecond)
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|0x7000|uint64(fraction))     //nolint:gosec // 48 bits until the year 10889
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&^(0b11<<62)|uint64(0b10)<<62) //nolint:gosec // see above
}
