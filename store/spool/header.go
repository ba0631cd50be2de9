package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// segmentMagic begins every segment; its last byte is the version of the format.
var segmentMagic = []byte{'S', 'A', 'R', 'K', 'S', 'P', 'L', 1}

// The fixed part of a header: magic 8, CRC 4, size 4, writer 16, first 8, head 32. The columns follow, up to the size. The
// CRC covers all that follows it.
const (
	headerCRCAt  = 8
	headerSizeAt = 12
	headerFixed  = 8 + 4 + 4 + 16 + 8 + 32
	headerMax    = 64 << 10
)

// errHeader says that a file does not begin as a segment of this version does.
var errHeader = errors.New("not a segment header")

// header is what a segment says of itself.
type header struct {
	writer  uuid.UUID
	first   int64    // the number of the first event that may stand in the segment
	head    [32]byte // the chain's head before that event
	columns string   // the tuples' columns, as columnList writes them
}

// columnList is one line per column: its name and type.
func columnList() string {
	var list strings.Builder
	for _, c := range audit.Columns() {
		fmt.Fprintf(&list, "%s %s\n", c.Name, c.Type)
	}
	return list.String()
}

func (h *header) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, segmentMagic...)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(headerFixed+len(h.columns))) //nolint:gosec // some kilobytes
	dst = append(dst, h.writer[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.first)) //nolint:gosec // numbers begin at 1
	dst = append(dst, h.head[:]...)
	dst = append(dst, h.columns...)
	binary.BigEndian.PutUint32(dst[at+headerCRCAt:], crc32.Checksum(dst[at+headerSizeAt:], castagnoli))
	return dst
}

// parseHeader reads the header at the beginning of b and says how long it is. Its error wraps errHeader.
func parseHeader(b []byte) (header, int, error) {
	if len(b) < headerFixed || !bytes.HasPrefix(b, segmentMagic) {
		return header{}, 0, fmt.Errorf("%w: wrong magic or version", errHeader)
	}
	size := binary.BigEndian.Uint32(b[headerSizeAt:])
	if size < headerFixed || size > headerMax || int(size) > len(b) {
		return header{}, 0, fmt.Errorf("%w: size %d", errHeader, size)
	}
	b = b[:size]
	if crc32.Checksum(b[headerSizeAt:], castagnoli) != binary.BigEndian.Uint32(b[headerCRCAt:]) {
		return header{}, 0, fmt.Errorf("%w: wrong checksum", errHeader)
	}
	h := header{columns: string(b[headerFixed:])}
	copy(h.writer[:], b[16:])
	h.first = int64(binary.BigEndian.Uint64(b[32:])) //nolint:gosec // two's complement on purpose
	copy(h.head[:], b[40:])
	return h, int(size), nil
}
