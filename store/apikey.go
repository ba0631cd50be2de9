package store

import "time"

// APIKey is a key that `sark apikey` made. The secret itself is never kept.
type APIKey struct {
	ID          string   // the part of the key before its secret
	Hash        [32]byte // SHA-256 of the secret part
	Subject     string   // the principal's id
	Description string
	Roles       []string
	Teams       []string
	Scopes      []string
	CreatedAt   time.Time // set by the store
	ExpiresAt   time.Time // zero: never
	RevokedAt   time.Time // zero: in force
}

// Revoked reports whether the key was revoked.
func (k *APIKey) Revoked() bool { return !k.RevokedAt.IsZero() }
