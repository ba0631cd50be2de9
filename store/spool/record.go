package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// kind says what a record holds.
type kind uint8

const (
	kindEvent  kind = 1 // a sealed tuple
	kindIntent kind = 2 // an unsealed tuple: a call that may have effects is about to be forwarded
	kindGap    kind = 3 // a sealed tuple that says what is missing from the trail
	kindInput  kind = 4 // the input of a decision: no part of the trail
)

// sealed reports whether the payload has a number in the chain.
func (k kind) sealed() bool { return k == kindEvent || k == kindGap }

// flagOpen marks a record whose exchange goes on: its reference is closed by a later record.
const flagOpen = 1

// recordMagic begins every record, so that reading can go on after damage. It is no valid UTF-8, hence in no text.
var recordMagic = []byte{0xf5, 'S', 'R', 0xff}

// The layout of a record: magic 4, CRC 4, length 4, kind 1, flags 1, zero 2, reference 8, payload. The CRC covers all that
// follows it.
const (
	recordHeader = 24
	crcAt        = 4
	lengthAt     = 8
	kindAt       = 12
	flagsAt      = 13
	refAt        = 16
)

// maxPayload bounds what the length field may say; the largest tuple is a fifth of it.
const maxPayload = 1 << 20

// castagnoli is the CRC-32C table, computed in hardware where there is some.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is a record that was read; its payload aliases the bytes it was read from.
type record struct {
	kind    kind
	open    bool
	ref     uint64 // 0: none
	payload []byte
}

// beginRecord appends the header without CRC and then the payload, and returns where the record begins. The payload may be
// changed until endRecord.
func beginRecord(dst []byte, k kind, open bool, ref uint64, payload []byte) (grown []byte, at int) {
	at = len(dst)
	dst = append(dst, recordMagic...)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload))) //nolint:gosec // at most maxPayload
	flags := byte(0)
	if open {
		flags = flagOpen
	}
	dst = append(dst, byte(k), flags, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, ref)
	return append(dst, payload...), at
}

// endRecord computes the CRC of the record that begins at the given place and ends with the slice.
func endRecord(buf []byte, at int) {
	binary.BigEndian.PutUint32(buf[at+crcAt:], crc32.Checksum(buf[at+lengthAt:], castagnoli))
}

// verdict is what a place in a segment turned out to be.
type verdict uint8

const (
	sound   verdict = iota // a whole record
	short                  // perhaps a record, but the bytes end within it
	damaged                // no record
)

// parseRecord looks for a record at the beginning of b and says how long it is.
func parseRecord(b []byte) (record, int, verdict) {
	if len(b) < recordHeader {
		if bytes.HasPrefix(b, recordMagic) || bytes.HasPrefix(recordMagic, b) {
			return record{}, 0, short
		}
		return record{}, 0, damaged
	}
	length := binary.BigEndian.Uint32(b[lengthAt:])
	k := kind(b[kindAt])
	if !bytes.HasPrefix(b, recordMagic) || length > maxPayload || k < kindEvent || k > kindInput {
		return record{}, 0, damaged
	}
	size := recordHeader + int(length)
	if len(b) < size {
		return record{}, 0, short
	}
	if crc32.Checksum(b[lengthAt:size], castagnoli) != binary.BigEndian.Uint32(b[crcAt:]) {
		return record{}, 0, damaged
	}
	return record{
		kind: k, open: b[flagsAt]&flagOpen != 0, ref: binary.BigEndian.Uint64(b[refAt:]), payload: b[recordHeader:size],
	}, size, sound
}
