package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/google/uuid"
)

// Cursor is the place in a list after which the next page begins: a row's time and, for rows of one time, its id. Rows that
// are added later do not move it.
type Cursor struct {
	Time time.Time
	ID   uuid.UUID
}

// cursorVersion begins every cursor, so that its form can change.
const cursorVersion = 1

// cursorSize is version, time in microseconds, id, and a check over them and the list's name.
const cursorSize = 1 + 8 + 16 + 8

// Encode returns the cursor as a URL-safe text that only the list of that name will read. It is no secret and gives no
// rights: a forged one can only name another place in a list that the caller may read anyway.
func (c Cursor) Encode(list string) string {
	b := make([]byte, 0, cursorSize)
	b = append(b, cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Time.UnixMicro()))
	b = append(b, c.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, cursorCheck(b, list))
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads a cursor of the list of that name. Its error wraps ErrBadCursor.
func DecodeCursor(list, text string) (Cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorSize || b[0] != cursorVersion {
		return Cursor{}, fmt.Errorf("%w: wrong form", ErrBadCursor)
	}
	body, check := b[:cursorSize-8], b[cursorSize-8:]
	if binary.BigEndian.Uint64(check) != cursorCheck(body, list) {
		return Cursor{}, fmt.Errorf("%w: of another list", ErrBadCursor)
	}
	c := Cursor{Time: time.UnixMicro(int64(binary.BigEndian.Uint64(body[1:]))).UTC()} //nolint:gosec // two's complement on purpose
	copy(c.ID[:], body[9:])
	return c, nil
}

func cursorCheck(body []byte, list string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(list)) // a hash never fails
	_, _ = h.Write(body)
	return h.Sum64()
}
