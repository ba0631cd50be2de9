package app

import (
	"crypto/ed25519"

	"sark/store"
	"sark/store/spool"
)

// integrity knows the key and the head of this gateway's chain, for the API.
type integrity struct {
	spool   *spool.Spool
	shipper *store.Shipper
	key     *store.DigestKey
}

// DigestKeys implements api.Integrity.
func (i *integrity) DigestKeys() []ed25519.PublicKey { return []ed25519.PublicKey{i.key.Public()} }

// Heads implements api.Integrity. What an earlier process has stored is known again once nothing waits.
func (i *integrity) Heads() (stored, recorded *store.Head) {
	seq, hash := i.spool.Head()
	if seq == 0 {
		return nil, nil
	}
	recorded = &store.Head{Writer: i.spool.Writer(), Seq: seq, Hash: hash}
	if head, ok := i.shipper.Head(); ok {
		stored = &head
	}
	return stored, recorded
}
