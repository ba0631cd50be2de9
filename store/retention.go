package store

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"
)

// RetentionMark is a gateway's word that events were removed for their age, and not by somebody who had something to hide:
// what was stored before Cutoff, by the time in its digest, may be gone. It is kept beside the trail and comes into force in
// the transaction that removes the first event.
type RetentionMark struct {
	// Cutoff is the end of what may be gone, in UTC with microseconds.
	Cutoff time.Time `json:"cutoff"`
	// Rule is the setting that asked for it, for example "audit.retention: 2160h0m0s".
	Rule string `json:"rule"`
	// CreatedAt is when the mark was made, in UTC with microseconds.
	CreatedAt time.Time `json:"created_at"`
	// KeyID is the KeyID of the key that signed.
	KeyID string `json:"key_id"`
	// Signature is that of Ed25519 (RFC 8032) over the statement.
	Signature []byte `json:"signature"`
}

// NewRetentionMark makes and signs a mark.
func NewRetentionMark(key *DigestKey, cutoff time.Time, rule string, now time.Time) RetentionMark {
	m := RetentionMark{
		Cutoff: cutoff.UTC().Truncate(time.Microsecond), Rule: rule, CreatedAt: now.UTC().Truncate(time.Microsecond), KeyID: key.ID(),
	}
	m.Signature = ed25519.Sign(key.private, m.statement())
	return m
}

// markVersion begins the signed bytes, so that a signature of this key over something else is none of a mark.
const markVersion = "sark audit retention 1\x00"

// statement is what is signed: version, cutoff and time in microseconds since 1970, the rule after its length, all numbers in
// 8 bytes with the highest first, and the key id.
func (m *RetentionMark) statement() []byte {
	b := append(make([]byte, 0, 128), markVersion...)
	for _, n := range [...]int64{m.Cutoff.UnixMicro(), m.CreatedAt.UnixMicro(), int64(len(m.Rule))} {
		b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // two's complement on purpose
	}
	b = append(b, m.Rule...)
	return append(b, m.KeyID...)
}

// Check reports whether one of the given keys has signed the mark. Its error wraps ErrDigest.
func (m *RetentionMark) Check(keys []ed25519.PublicKey) error {
	for _, key := range keys {
		if KeyID(key) == m.KeyID && ed25519.Verify(key, m.statement(), m.Signature) {
			return nil
		}
	}
	return fmt.Errorf("%w: no trusted key has signed the retention mark of %s (key %q)", ErrDigest, m.Cutoff.Format(time.RFC3339), m.KeyID)
}

// Removed is what a step of retention has removed.
type Removed struct {
	// Rows counts events.
	Rows int64
	// Chunks counts chunks or partitions that were dropped whole.
	Chunks int
	// More says that the next step will find something too.
	More bool
}
