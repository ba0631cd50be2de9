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

// segmentMagic begins every segment, and is followed by the version of its form.
var segmentMagic = []byte("SARKSPL")

// segmentVersion is the form of headers and records. Records of a kind that is not known are damage to this version, so that a
// new kind needs a new version. What is in a tuple does not: the header lists the columns.
const segmentVersion = 1

// The fixed part of a header: magic 7, version 1, CRC 4, size 4, writer 16, first 8, head 32. The columns follow, up to the size. The
// CRC covers all that follows it.
const (
	versionAt    = 7
	headerCRCAt  = 8
	headerSizeAt = 12
	headerFixed  = 8 + 4 + 4 + 16 + 8 + 32
	headerMax    = 64 << 10
)

// errHeader says that a file does not begin as a segment does.
var errHeader = errors.New("not a segment header")

// errNewer says that a later version of SARK wrote a segment. It is whole, and nothing that this version may touch.
var errNewer = errors.New("a newer version of SARK wrote it: let that one store what waits, then move the spool away; " +
	"see docs/operations.md#upgrading")

// header is what a segment says of itself.
type header struct {
	writer  uuid.UUID
	first   int64    // the number of the first event that may stand in the segment
	head    [32]byte // the chain's head before that event
	columns string   // of the newest format in it, as columnList writes them
}

// columnList is one line per column of a format: its name and type.
func columnList(format int32) string {
	var list strings.Builder
	for _, c := range audit.FormatColumns(format) {
		fmt.Fprintf(&list, "%s %s\n", c.Name, c.Type)
	}
	return list.String()
}

// known reports whether this version can read every event in the segment: those of earlier formats say so themselves, and may
// stand in a later segment when they were carried or sealed anew.
func (h *header) known() bool {
	for format := int32(audit.Format); format > 0; format-- {
		if h.columns == columnList(format) {
			return true
		}
	}
	return false
}

func (h *header) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, segmentMagic...)
	dst = append(dst, segmentVersion, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(headerFixed+len(h.columns))) //nolint:gosec // some kilobytes
	dst = append(dst, h.writer[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.first)) //nolint:gosec // numbers begin at 1
	dst = append(dst, h.head[:]...)
	dst = append(dst, h.columns...)
	binary.BigEndian.PutUint32(dst[at+headerCRCAt:], crc32.Checksum(dst[at+headerSizeAt:], castagnoli))
	return dst
}

// parseHeader reads the header at the beginning of b and says how long it is. Its error wraps errHeader or errNewer.
func parseHeader(b []byte) (header, int, error) {
	if len(b) < headerFixed || !bytes.HasPrefix(b, segmentMagic) || b[versionAt] < segmentVersion {
		return header{}, 0, fmt.Errorf("%w: wrong magic", errHeader)
	}
	if b[versionAt] > segmentVersion {
		return header{}, 0, errNewer
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
